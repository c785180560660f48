"""Door: the corrections that are in force for intervals, each with its proof. Signed, since they change what is served.

One is fitted before the interval begins, so it can know no label of it. ``recalibration.py`` applies it.
"""

from dataclasses import asdict, dataclass, field
from typing import Any

from include.retraining import inventory, keys, signing
from include.retraining.errors import IntegrityError
from include.retraining.promotion_log import check_format
from include.retraining.signing import Keyring
from include.retraining.store import Store, read
from include.retraining.windows import Interval

FORMAT_VERSION = 1
CORRECTION = "correction"
"""What it is signed as."""


@dataclass(frozen=True)
class Correction:
    """How the outputs of one version are corrected."""

    version: str
    as_of: str
    """By when everything that it was fitted on was known."""
    labels_sha256: str
    """Digest of the labels that it was fitted on, all together."""
    numbers: dict[str, Any]
    """What ``recalibration.apply`` takes."""
    proof: dict[str, Any] = field(default_factory=dict)
    """Why it is in force."""

    @property
    def digest(self) -> str:
        """What tells it from every correction that changes predictions otherwise."""
        return signing.sha256(signing.canonical(self.numbers))


def write(store: Store, keyring: Keyring, model: str, interval: Interval, found: Correction) -> str:
    """Store a correction as the one in force for an interval, and return its key; the first write stands."""
    key = keys.calibration(model, interval, found.version, found.labels_sha256)
    content = {"format_version": FORMAT_VERSION, "model": model, "interval": keys.span(interval), **asdict(found)}
    store.put_if_absent(key, signing.canonical(signing.sign(content, keyring, CORRECTION)))
    return key


def in_force(store: Store, keyring: Keyring, model: str, interval: Interval, version: str) -> Correction | None:
    """Return the newest correction of a version for an interval that was known when that began, or None.

    Raises
    ------
    IntegrityError
        One that lies there is unsigned, altered, or another interval's.
    """
    listed = inventory.placed(model, store.list(keys.calibrations(model, interval)))
    wanted = [one.key for place, one in listed if place.group.rpartition("-")[0] == version]
    found = [read_one(store, keyring, model, key) for key in wanted]
    known = [one for one in found if one.as_of <= keys.stamp(interval.start)]
    return max(known, key=lambda one: (one.as_of, one.labels_sha256), default=None)


def read_one(store: Store, keyring: Keyring, model: str, key: str) -> Correction:
    """Return a verified correction; raises IntegrityError for one that is not what its key says."""
    content = read(store, key, lambda data: signing.verify(data, keyring, key, CORRECTION))
    check_format(content, FORMAT_VERSION, key)
    try:
        found = Correction(**{name: content[name] for name in Correction.__dataclass_fields__ if name in content})
    except TypeError:
        raise IntegrityError(f"{key} does not say what it corrects. Restore the original.", "format") from None
    interval = keys.interval_of(model, key)
    own = keys.calibration(model, interval, found.version, found.labels_sha256)
    if (own, content.get("interval")) != (key, keys.span(interval)):
        raise IntegrityError(f"{key} is of {content.get('interval')}: it was copied there. Remove it.", "identity")
    return found
