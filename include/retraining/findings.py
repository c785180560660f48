"""Pure: what a check of the store found wrong, and the one thing to do about it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from include.retraining.errors import IntegrityError
from include.retraining.inventory import UNKNOWN, Group

T = TypeVar("T")
REMAINS = "remains"
"""What a crash left: no reader takes it for anything, and maintenance deletes it."""
REPAIRS = {
    "snapshots": "Restore {key} from a backup, or delete {folder}: the next run pulls the interval again.",
    "labels": "Restore {key} from a backup, or delete it and its manifest: the next run pulls the interval again.",
    "validations": "Delete {folder}: the next run that needs it validates again.",
    "predictions": "Restore {key} from a backup, or delete it and its manifest: the interval is then scored again.",
    "calibrations": "Restore {key} from a backup, or delete it: scores are then made without a correction.",
    "runs": "Restore {key} from a backup. Without one delete it: an earlier record counts again, or the run is new.",
    "candidates": "Delete {folder}: a rerun trains the candidate again.",
    "versions": "Restore {key} from a backup. Without one delete {folder} and clear the run that made the version.",
    "promotions": "Restore {key} from a backup; until then nothing is deleted, nor promoted if it is the newest.",
    "hints": "Delete {key}: it is a cache and is made again.",
    "run hints": "Delete {key}: it is a cache; the run is pinned anew when it is cleared.",
    "collections": "Restore {key} from a backup; without it, what was deleted counts as lost.",
    UNKNOWN: "Move {key} out of {model}/, or use the release that writes such objects.",
}
COLLECT = "Run `python -m include.retraining collect {model} --delete`."
RESTORE_LIVE = "Restore {key} from a backup; until then nobody can roll back to this version."
RESTORE_PINNED = (
    "Restore {key} from a backup, or trigger a new run of the interval: what is pinned to it cannot be cleared."
)
RESTORE_ROWS = "Restore them from a backup: the version goes on serving, but nobody can make it again."
FEWER_LIVE = "Restore {folder} from a backup, or lower `retention.live_versions` of the spec to what is there."
ROLL_BACK = "Run `python -m include.retraining rollback {model} --reason damaged`, then restore {key} from a backup."


@dataclass(frozen=True)
class Finding:
    """One object that is not what it should be."""

    key: str
    check: str
    """Which check it failed, as errors name it; ``REMAINS`` for what a crash left."""
    problem: str
    repair: str
    """One thing to do."""

    @property
    def is_damage(self) -> bool:
        """Whether something that was written is lost or altered: until it is mended nothing is deleted."""
        return self.check != REMAINS


class Look:
    """The look at one group: its checks are asked one by one, and none hides another."""

    def __init__(self, model: str, group: Group) -> None:
        self.model, self.group = model, group
        self.repair = REPAIRS.get(group.kind, COLLECT)
        self.findings: list[Finding] = []
        self.is_unfinished = False

    def ask(self, key: str, check: Callable[[], T]) -> T | None:
        """Return what a check of an object returns, or None after taking down what it found."""
        try:
            return check()
        except IntegrityError as error:
            self.add(key, error.check, str(error))
        return None

    def add(self, key: str, check: str, problem: str, repair: str | None = None) -> None:
        """Take down a finding."""
        text = (repair or self.repair).format(key=key, folder=key.rpartition("/")[0] + "/", model=self.model)
        self.findings.append(Finding(key, check, problem, text))

    def remains(self, problem: str) -> None:
        """Take down what a crash left."""
        self.add(self.group.keys[0], REMAINS, problem, COLLECT)

    def forgive_remains(self) -> None:
        """Take what is left for something unfinished instead."""
        damage = [one for one in self.findings if one.is_damage]
        self.is_unfinished = len(damage) < len(self.findings)
        self.findings = damage
