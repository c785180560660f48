"""Pure: the policies that a replay can compare, by name: never, every interval, calendars, the product's own, yours.

A name may end in ``+recalibration`` (the champion is corrected between its fits) and ``+gate`` (a challenger has to
prove itself on the holdout; without, it goes live at once, fitted on the holdout too).
"""

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from include.retraining import replay_ours
from include.retraining.decision import KEEP, RETRAIN, Decision
from include.retraining.errors import SpecError
from include.retraining.policies import is_import_path
from include.retraining.replayed import Seen

NEVER, EVERY, OURS = "never", "every", "ours"
RECALIBRATION, GATE = "recalibration", "gate"
DEFAULT = (NEVER, EVERY, "7", "14", "30", "never+recalibration", "14+recalibration", "30+recalibration", OURS)
Ask = Callable[[Seen], Any]
"""Whether to retrain, or a whole ``Decision``."""


@dataclass(frozen=True)
class Rival:
    """A policy: whom to ask, and what follows from a yes."""

    name: str
    ask: Ask
    is_gated: bool = False
    is_corrected: bool = False


def parse(name: str) -> Rival:
    """Return the policy of a name.

    Raises
    ------
    SpecError
        There is none, or what it leads to cannot be imported or called; the message says what there is.

    Examples
    --------
    >>> found = parse("14+recalibration")
    >>> found.name, found.is_gated, found.is_corrected
    ('14+recalibration', False, True)
    """
    kind, *extras = name.split("+")
    if unknown := sorted(set(extras) - {RECALIBRATION, GATE}) or (len(set(extras)) < len(extras)) or name.endswith("+"):
        raise _unknown(name, f" It ends in {unknown}." if isinstance(unknown, list) else "")
    if kind == OURS:
        if extras:
            raise _unknown(name, " `ours` corrects and compares as the spec says already.")
        return Rival(OURS, replay_ours.ask, is_gated=True, is_corrected=True)
    return Rival(name, _ask(kind, name), GATE in extras, RECALIBRATION in extras)


def parse_all(names: Sequence[str]) -> list[Rival]:
    """Return the policies of several names, each once; raises SpecError as ``parse``."""
    return [parse(name) for name in dict.fromkeys(names)]


def answer(rival: Rival, seen: Seen) -> Decision:
    """Return what a policy answers, as a decision.

    Raises
    ------
    SpecError
        It fails, or answers neither yes nor no.
    """
    try:
        said = rival.ask(seen)
    except Exception as error:  # a user's policy can fail in any way
        raise SpecError(
            f"Policy {rival.name} failed on {seen.interval.start.isoformat()}: {type(error).__name__}: {error}."
        ) from error
    if isinstance(said, Decision):
        return said
    if type(said).__name__ not in {"bool", "bool_"}:
        raise SpecError(
            f"Policy {rival.name} answered {said!r:.80} on {seen.interval.start.isoformat()}; expected True to retrain "
            "or False to keep the champion."
        )
    reason = f"{rival.name} said {'yes' if said else 'no'}."
    return Decision(RETRAIN if said else KEEP, (reason,), (reason, ""))


def _ask(kind: str, name: str) -> Ask:
    if kind == NEVER:
        return lambda _: _decision(False, "Never retrained.")
    if kind == EVERY or (kind.isdecimal() and int(kind) > 0):
        return _calendar(1 if kind == EVERY else int(kind))
    if is_import_path(kind):
        return _imported(kind)
    raise _unknown(name)


def _calendar(period: int) -> Ask:
    def ask(seen: Seen) -> Decision:
        told = f"{seen.age_intervals} of {period} interval(s) have passed since the last fit."
        return _decision(seen.age_intervals >= period, told)

    return ask


def _decision(is_due: bool, reason: str) -> Decision:
    return Decision(RETRAIN if is_due else KEEP, (reason,), (reason, ""))


def _imported(path: str) -> Ask:
    module, _, name = path.partition(":")
    try:
        found = getattr(importlib.import_module(module), name)
    except (Exception, SystemExit) as error:  # a module may do anything when it is imported
        told = f"{type(error).__name__}: {error}"
        raise SpecError(f"Policy {path} cannot be imported: {told}. Run where its module can be found.") from error
    if not callable(found):
        raise SpecError(f"Policy {path} is a {type(found).__name__}; expected a function of what is seen.")
    asked: Ask = found
    return asked


def _unknown(name: str, why: str = "") -> SpecError:
    return SpecError(
        f"There is no policy {name!r}.{why} Expected `never`, `every`, a number of intervals like `14`, `ours`, or a "
        "function of yours as `module:function`; all but `ours` may end in `+recalibration` and `+gate`."
    )
