"""The promotion log of one model: who serves, since when, why, and by whose order.

Entry N is created only if its number is free, so losing a race can overwrite nothing. Each entry is signed and names
the sha256 of the one before. The highest entry names the champion; nothing is decided on a listing or a clock.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from include.retraining import inventory, keys, signing
from include.retraining.errors import BadInput, IntegrityError, ObjectMissing, PromotionConflict
from include.retraining.signing import Keyring
from include.retraining.store import Store, read

FORMAT_VERSION = 1
PROMOTE, ROLLBACK = "promote", "rollback"
ENTRY, HINT = "promotion log entry", "champion hint"
"""What they are signed as."""


@dataclass(frozen=True)
class Entry:
    """One verified entry, and the sha256 of its bytes."""

    content: dict[str, Any]
    sha256: str

    @property
    def number(self) -> int:
        """Its place in the log, from 1."""
        return int(self.content["number"])

    @property
    def version(self) -> str:
        """The champion from here on."""
        return str(self.content["version"])

    @property
    def manifest_sha256(self) -> str:
        """What the version's manifest hashed to when it went live."""
        return str(self.content["manifest_sha256"])

    @property
    def effective_from(self) -> datetime:
        """The as-of from which the version serves."""
        return keys.parse_stamp(self.content["effective_from"])


@dataclass(frozen=True)
class PromotionLog:
    """One model's promotion log, in a store."""

    store: Store
    keyring: Keyring
    model: str

    def entry(self, number: int) -> Entry | None:
        """Return one verified entry, or None where the log has not come yet."""
        try:
            return read(self.store, keys.promotion(self.model, number), lambda data: self._entry(number, data))
        except ObjectMissing:
            return None

    def head(self) -> Entry | None:
        """Return the newest entry: three reads with a hint, a logarithmic number without, and no listing.

        Raises
        ------
        IntegrityError
            The hint, which moves only after an entry lies there, names one that is gone.
        """
        hinted = self._hint()
        found = self.entry(hinted) if hinted else None
        if hinted and found is None:
            raise _gap(self.model, hinted)
        return self._newest_from(found)

    def log(self) -> list[Entry]:
        """Return the whole log, oldest first, its hash chain checked; raises IntegrityError where a link is broken."""
        entries: list[Entry] = []
        listed = sum(1 for _ in inventory.placed(self.model, self.store.list(keys.promotions(self.model))))
        told = max(listed, self._hint())  # asked before reading: a promotion that lands meanwhile is no gap
        while found := self.entry(len(entries) + 1):
            previous = entries[-1].sha256 if entries else None
            if found.content["previous_sha256"] != previous:
                raise IntegrityError(
                    f"{keys.promotion(self.model, found.number)} does not continue entry {len(entries)}: "
                    "one of the two was replaced. Restore the original.",
                    "chain",
                )
            entries.append(found)
        if told > len(entries):
            raise _gap(self.model, len(entries) + 1)
        return entries

    def live_at(self, moment: datetime, newest: int) -> Entry | None:
        """Return who was live at a moment, as the log stood at entry ``newest``: the highest one in effect by then."""
        for number in range(newest, 0, -1):
            found = self.standing(number)
            if found and found.effective_from <= moment:
                return found
        return None

    def standing(self, number: int) -> Entry | None:
        """Return an entry that must be there; None is before the first."""
        found = self.entry(number) if number else None
        if number and found is None:
            raise _gap(self.model, number)
        return found

    def append(
        self, base: int, version: str, manifest_sha256: str, effective_from: datetime, about: dict[str, Any]
    ) -> Entry:
        """Write the entry after ``base`` if its number is free, and return what stands there.

        Raises
        ------
        PromotionConflict
            Another entry took the number; nothing was written.
        BadInput
            It would take effect before the entry that it follows.
        """
        previous, number = self.standing(base), base + 1
        if previous and effective_from < previous.effective_from:
            raise _out_of_order(self.model, version, effective_from, previous)
        content = {
            "format_version": FORMAT_VERSION,
            "model": self.model,
            "number": number,
            "version": version,
            "previous_version": previous.version if previous else None,
            "previous_sha256": previous.sha256 if previous else None,
            "manifest_sha256": manifest_sha256,
            "effective_from": keys.stamp(effective_from),
            "recorded_at": datetime.now(UTC).isoformat(timespec="seconds"),
            **about,
        }
        data = signing.canonical(signing.sign(content, self.keyring, ENTRY))
        self.store.put_if_absent(keys.promotion(self.model, number), data)
        found = self._settled(number, version, about["nonce"])
        self.mend_hint(found)
        return found

    def mend_hint(self, newest: Entry) -> None:
        """Move the hint forward to an entry that lies there; it is a cache and never moves back."""
        if newest.number > self._hint():
            hint = {"format_version": FORMAT_VERSION, "model": self.model, "number": newest.number}
            data = signing.canonical(signing.sign(hint, self.keyring, HINT))
            self.store.put(keys.champion_hint(self.model), data)

    def _entry(self, number: int, data: bytes) -> Entry:
        key = keys.promotion(self.model, number)
        content = signing.verify(data, self.keyring, key, ENTRY)
        check_format(content, FORMAT_VERSION, key)
        if content.get("number") != number or content.get("model") != self.model:
            described = f"entry {content.get('number')} of {content.get('model')}"
            raise IntegrityError(f"{key} is {described}: it was copied there. Restore the original.", "identity")
        if not _is_whole(content):
            raise IntegrityError(f"{key} does not say who serves from when. Restore the original.", "format")
        return Entry(content, signing.sha256(data))

    def _newest_from(self, known: Entry | None) -> Entry | None:
        """Gallop from an entry until there is none, then bisect: the log has no gaps."""
        found, step = known, 1
        while following := self.entry(_number(found) + step):
            found, step = following, 2 * step
        absent = _number(found) + step
        while absent - _number(found) > 1:
            middle = (_number(found) + absent) // 2
            if probed := self.entry(middle):
                found = probed
            else:
                absent = middle
        return found

    def _settled(self, number: int, version: str, nonce: str) -> Entry:
        found = self.standing(number)
        if found is None or (found.content["nonce"] != nonce and found.version != version):
            champion = found.version if found else "none"
            raise PromotionConflict(
                f"The champion of {self.model} moved to {champion} (entry {number}) while {version} was held against "
                "its predecessor. Nothing was changed; trigger a new run to compare again."
            )
        return found

    def _hint(self) -> int:
        key = keys.champion_hint(self.model)
        try:
            hint = read(self.store, key, lambda data: signing.verify(data, self.keyring, key, HINT))
            return max(0, int(hint["number"])) if hint["model"] == self.model else 0
        except (IntegrityError, KeyError, TypeError, ValueError, OverflowError):
            return 0  # a hint is a cache: without it the log is searched from its start


def check_format(content: dict[str, Any], known: int, what: str) -> None:
    """Raise IntegrityError unless an object's ``format_version`` is one that this release reads, 1 to ``known``."""
    found = content.get("format_version")
    if not isinstance(found, int) or isinstance(found, bool) or not 1 <= found <= known:
        raise IntegrityError(
            f"{what} has format_version {found!r}, this release reads 1 to {known}. Read it with the release that "
            "wrote it.",
            "format",
        )


def _is_whole(content: dict[str, Any]) -> bool:
    """Return whether an entry holds what its readers rely on."""
    texts = ("action", "version", "manifest_sha256", "nonce", "reason", "actor")
    try:
        keys.parse_stamp(content["effective_from"])
    except (KeyError, TypeError, ValueError):
        return False
    return all(isinstance(content.get(name), str) for name in texts) and "previous_sha256" in content


def _number(entry: Entry | None) -> int:
    return entry.number if entry else 0


def _out_of_order(model: str, version: str, effective_from: datetime, previous: Entry) -> BadInput:
    return BadInput(
        f"{version} would serve {model} from {keys.stamp(effective_from)}, but entry {previous.number} made "
        f"{previous.version} the champion from {previous.content['effective_from']}: who was live when would change. "
        "Nothing was changed; trigger a run with an as-of that is not before."
    )


def _gap(model: str, number: int) -> IntegrityError:
    return IntegrityError(
        f"{keys.promotion(model, number)} is gone, though it or a later one was written; the log has no gaps. "
        "Restore it.",
        "chain",
    )
