"""Versions, manifests and the promotion log, over the store.

A version exists when its manifest does, and the manifest is written last. The champion is what the highest entry of
the promotion log names; an entry is created only if its number is free, so losing a race can overwrite nothing.
"""

import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from include.retraining import keys, signing
from include.retraining.errors import IntegrityError, ObjectMissing, PromotionConflict
from include.retraining.signing import Keyring
from include.retraining.store import Store, prove

FORMAT_VERSION = 1
ARTIFACT, BASELINE, CARD, MANIFEST = "model.joblib", "baseline.json", "card.md", "manifest.json"


@dataclass(frozen=True)
class Entry:
    """One verified entry of the promotion log, and the sha256 of its bytes."""

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
    def effective_from(self) -> datetime:
        """The as-of from which the version serves."""
        return keys.parse_stamp(self.content["effective_from"])


@dataclass(frozen=True)
class Registry:
    """One model's versions and promotion log."""

    store: Store
    keyring: Keyring
    model: str

    def entry(self, number: int) -> Entry | None:
        """Return one verified log entry, or None where the log has not come yet."""
        key = keys.promotion(self.model, number)
        try:
            data = self.store.get(key)
        except ObjectMissing:
            return None
        content = signing.verify(data, self.keyring, key)
        if content.get("number") != number or content.get("model") != self.model:
            described = f"entry {content.get('number')} of {content.get('model')}"
            raise IntegrityError(f"{key} is {described}: it was copied there. Restore the original.")
        return Entry(content, signing.sha256(data))

    def head(self) -> Entry | None:
        """Return the newest log entry: the hint, then one number after the other until there is none."""
        number = self._hint()
        found = self.entry(number) if number else None
        number = found.number if found else 0
        while following := self.entry(number + 1):
            found, number = following, number + 1
        return found

    def log(self) -> list[Entry]:
        """Return the whole log, oldest first, its hash chain checked; raises IntegrityError where a link is broken."""
        entries: list[Entry] = []
        while found := self.entry(len(entries) + 1):
            previous = entries[-1].sha256 if entries else None
            if found.content["previous_sha256"] != previous:
                raise IntegrityError(
                    f"{keys.promotion(self.model, found.number)} does not continue entry {len(entries)}: "
                    "one of the two was replaced. Restore the original."
                )
            entries.append(found)
        listed = sum(1 for _ in self.store.list(keys.promotions(self.model)))
        if listed > len(entries):
            missing = keys.promotion(self.model, len(entries) + 1)
            raise IntegrityError(f"{missing} is gone, but later entries are there; the log has no gaps. Restore it.")
        return entries

    def live_at(self, moment: datetime, newest: int) -> Entry | None:
        """Return who was live at a moment, as the log stood at entry ``newest``: the highest one in effect by then."""
        for number in range(newest, 0, -1):
            found = self._standing(number)
            if found and found.effective_from <= moment:
                return found
        return None

    def versions(self) -> list[str]:
        """Return the ids of all versions, oldest training window first."""
        prefix = keys.versions(self.model)
        return sorted(
            found.key.removeprefix(prefix).split("/")[0]
            for found in self.store.list(prefix)
            if found.key.endswith(f"/{MANIFEST}")
        )

    def manifest(self, version: str) -> dict[str, Any]:
        """Return a version's verified manifest; raises IntegrityError if it is missing, unsigned or altered."""
        key = keys.version(self.model, version, MANIFEST)
        content = signing.verify(self.store.get(key), self.keyring, key)
        if content.get("version") != version or content.get("model") != self.model:
            described = f"{content.get('model')} {content.get('version')}"
            raise IntegrityError(f"{key} describes {described}: it was copied there. Restore the original.")
        return content

    def file(self, version: str, name: str) -> bytes:
        """Return one file of a version after checking its size and hash against the manifest."""
        key = keys.version(self.model, version, name)
        data = self.store.get(key)
        signing.check_bytes((signing.sha256(data), len(data)), self.manifest(version)["files"][name], key)
        return data

    def load(self, version: str) -> Any:
        """Return a version's estimator: signature, size and hash are checked first, then the allow-list."""
        key, expected = keys.version(self.model, version, ARTIFACT), self.manifest(version)
        check_libraries(expected, key)
        with tempfile.TemporaryDirectory(prefix="retraining-") as folder:
            path = Path(folder) / ARTIFACT
            digest = self.store.fetch(key, path)
            signing.check_bytes((digest, path.stat().st_size), expected["files"][ARTIFACT], key)
            return signing.load_artifact(path, key)

    def register(self, version: str, files: dict[str, bytes], about: dict[str, Any]) -> dict[str, Any]:
        """Store a version, its manifest last, and return the manifest that now stands.

        The same version registered again keeps the first manifest: whoever asked first stays named.

        Raises
        ------
        StoreUnsafe
            The store does not honour put-if-absent; asked before a model's first version.
        IntegrityError
            A file of this version lies there with other bytes.
        """
        if not self.versions():
            prove(self.store)
        standing = self._found(version)
        if standing is not None:  # its card may tell of another owner by now; its artifact may not differ
            self._keep(version, {ARTIFACT: files[ARTIFACT]})
            return standing
        self._keep(version, files)
        named = {name: {"sha256": signing.sha256(data), "size_bytes": len(data)} for name, data in files.items()}
        identity = {"format_version": FORMAT_VERSION, "model": self.model, "version": version, "files": named}
        manifest = signing.canonical(signing.sign({**about, **identity}, self.keyring))
        self.store.put_if_absent(keys.version(self.model, version, MANIFEST), manifest)
        return self.manifest(version)

    def _found(self, version: str) -> dict[str, Any] | None:
        try:
            return self.manifest(version)
        except ObjectMissing:
            return None

    def _keep(self, version: str, files: dict[str, bytes]) -> None:
        for name, data in files.items():
            if not self.store.put_if_absent(keys.version(self.model, version, name), data):
                raise IntegrityError(
                    f"{keys.version(self.model, version, name)} holds other bytes than this training made, "
                    "though its inputs are the same. Run `verify`, remove that folder, then clear the task."
                )

    def promote(self, version: str, base: int, effective_from: datetime, about: dict[str, Any]) -> Entry:
        """Make a version the champion, if the log still ends where the comparison was made.

        Parameters
        ----------
        version : str
            A registered version; its manifest is verified first.
        base : int
            Number of the log entry that the comparison was made against, 0 for none.
        effective_from : datetime
            The run's as-of.
        about : dict
            ``action``, ``reason``, ``actor``, ``verdict_sha256`` and ``nonce``, which is the same in every try.

        Raises
        ------
        PromotionConflict
            Another entry took the next number; nothing was written.
        """
        previous, number = self._standing(base), base + 1
        content = {
            "format_version": FORMAT_VERSION,
            "model": self.model,
            "number": number,
            "version": version,
            "previous_version": previous.version if previous else None,
            "previous_sha256": previous.sha256 if previous else None,
            "manifest_sha256": signing.sha256(signing.canonical(self.manifest(version))),
            "effective_from": keys.stamp(effective_from),
            "recorded_at": datetime.now(UTC).isoformat(timespec="seconds"),
            **about,
        }
        data = signing.canonical(signing.sign(content, self.keyring))
        self.store.put_if_absent(keys.promotion(self.model, number), data)
        return self._settle(number, version, about["nonce"])

    def _standing(self, number: int) -> Entry | None:
        """Return an entry that must be there; None is before the first."""
        found = self.entry(number) if number else None
        if number and found is None:
            raise IntegrityError(f"{keys.promotion(self.model, number)} is gone; the log has no gaps. Restore it.")
        return found

    def _settle(self, number: int, version: str, nonce: str) -> Entry:
        found = self.entry(number)
        if found is None:
            raise IntegrityError(f"{keys.promotion(self.model, number)} was written and is gone. Check the store.")
        if found.content["nonce"] != nonce and found.version != version:
            raise PromotionConflict(
                f"The champion of {self.model} moved to {found.version} (entry {number}) while this run compared "
                f"{version} with its predecessor. Nothing was changed; trigger a new run to compare again."
            )
        if number > self._hint():
            hint = {"format_version": FORMAT_VERSION, "number": number}
            self.store.put(keys.champion_hint(self.model), signing.canonical(hint))
        return found

    def _hint(self) -> int:
        try:
            hint = signing.read_json(self.store.get(keys.champion_hint(self.model)), "the champion hint")
            return max(0, int(hint["number"]))
        except (IntegrityError, KeyError, TypeError, ValueError, OverflowError):
            return 0  # a hint is a cache: without it the log is read from the start


def library_versions() -> dict[str, str]:
    """Return the versions of the libraries that training and loading execute."""
    import platform
    from importlib.metadata import version

    names = ("joblib", "numpy", "pandas", "scikit-learn", "scipy")
    return {"python": platform.python_version(), **{name: version(name) for name in names}}


def check_libraries(manifest: dict[str, Any], key: str) -> None:
    """Raise IntegrityError where scikit-learn's release differs: its artifacts load in the release that wrote them."""
    written, here = manifest["libraries"]["scikit-learn"], library_versions()["scikit-learn"]
    if written.split(".")[:2] != here.split(".")[:2]:
        raise IntegrityError(
            f"{key} was written by scikit-learn {written}, here is {here}. Install the former where tasks run: "
            "an artifact loads in the release that wrote it."
        )
