"""``python -m include.retraining suite``: write a suite from what is stored, try one before it counts, compare two."""

import argparse
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from include.retraining import connections, expectations, specs, tables
from include.retraining.errors import DataError, SpecError

if TYPE_CHECKING:
    from include.retraining.spec import ModelSpec
    from include.retraining.trials import Past
    from include.retraining.tried import Tried

INTERVALS = 28
"""Four of each weekday."""


def suite(asked: argparse.Namespace) -> int:
    """Write a suite from stored data, try one on it, or compare two."""
    return int(asked.action(asked))


def propose(asked: argparse.Namespace) -> int:
    """Learn a suite from stored snapshots and labels, and print how it holds on them."""
    from include.retraining import proposing, trials, tried

    _refuse_to_overwrite(asked)
    spec = specs.load(asked.model)
    past = _past(spec, asked.intervals)
    content = proposing.propose(spec, *_frames(spec, past))
    found = trials.try_out(connections.open_store(), spec, expectations.parse(content, "proposed"), past)
    if asked.write is not None:
        asked.write.write_text(proposing.render(content), encoding="utf-8")
    rows = _summaries(spec, found)
    written = f"Written to {asked.write}." if asked.write else "Nothing was written. Add --write FILE to keep it."
    notes = [content["meta"]["notes"], tried.sentence(rows), written]
    if asked.json:
        print(json.dumps({"suite": content, "expectations": rows, "left_out": list(past.left_out)}, indent=2))
    else:
        print("\n".join([*tables.render(tried.table(rows)), "", *_left_out(past), *notes]))
    return int(any(one.is_refusal for one in found))


def check(asked: argparse.Namespace) -> int:
    """Tell on which stored intervals each expectation would have failed; status 1 if a critical one would."""
    from include.retraining import learning, trials, tried

    spec = specs.load(asked.model)
    wanted = expectations.load(asked.suite or spec.suite)
    past = _past(spec, asked.intervals)
    found = trials.try_out(connections.open_store(), spec, wanted, past)
    rows = _summaries(spec, found)
    if asked.json:
        print(json.dumps({"expectations": rows, "left_out": list(past.left_out)}, indent=2))
    else:
        many, labelled = (learning.counted(len(some), "interval") for some in (past.snapshots, past.labels))
        looked = f"Tried on the snapshots of {many} and the labels of {labelled}."
        print("\n".join([*tables.render(tried.table(rows)), "", *_left_out(past), looked, tried.sentence(rows)]))
    return int(any(one.is_refusal for one in found))


def diff(asked: argparse.Namespace) -> int:
    """Tell what differs between two suite files, or between a model's suite and an earlier revision of it."""
    from include.retraining import suite_diff

    if asked.new is not None and asked.since is not None:
        raise SpecError("Found two files and --since. Give two files, or one model and --since.")
    if asked.new is not None:
        old, new = expectations.load(Path(asked.old)), expectations.load(Path(asked.new))
    else:
        path = specs.load(asked.old).suite
        old, new = at_revision(path, asked.since or "HEAD"), expectations.load(path)
    found = suite_diff.diff(old, new)
    if asked.json:
        rows = [one.row() for one in found.differences]
        print(json.dumps({"differences": rows, "sentence": found.sentence}, indent=2))
    else:
        print("\n".join([*tables.render(suite_diff.table(found)), found.sentence]))
    return 0


def at_revision(path: Path, revision: str) -> expectations.Suite:
    """Return a suite file as it was at a git revision."""
    command = ["git", "-C", str(path.parent), "show", "--end-of-options", f"{revision}:./{path.name}"]
    try:
        done = subprocess.run(command, capture_output=True, check=False)
    except OSError as error:
        raise SpecError(f"git cannot be run: {error.strerror}. Give two suite files instead.") from None
    if done.returncode:
        told = " ".join(done.stderr.decode(errors="replace").split())
        raise SpecError(f"There is no {path.name} at git revision {revision!r}: {told}. Give another --since.")
    try:
        content = json.loads(done.stdout)
    except ValueError as error:
        raise SpecError(f"{path.name} at {revision!r} is not valid JSON: {error}. Give another --since.") from None
    return expectations.parse(content, f"{path.name} at {revision}")


def _refuse_to_overwrite(asked: argparse.Namespace) -> None:
    if asked.write is not None and asked.write.exists() and not asked.force:
        raise SpecError(f"{asked.write} exists. Give another file, or add --force to overwrite it.")
    if asked.write is not None and not asked.write.parent.is_dir():
        raise SpecError(f"There is no folder {asked.write.parent}. Make it, or give another file.")


def _past(spec: "ModelSpec", intervals: int) -> "Past":
    from include.retraining import trials

    return trials.gather(connections.open_store(), connections.open_keyring(), spec, intervals)


def _frames(spec: "ModelSpec", past: "Past") -> tuple[Any, Any]:
    """Return the rows and labels that a suite is learned from: those with the columns of today's spec."""
    from include.retraining import snapshots

    store, labels = connections.open_store(), [*spec.key_columns, spec.label, "status"]
    frames = []
    for stored, columns in ((past.snapshots, list(spec.stored)), (past.labels, labels)):
        read = snapshots.read_many(store, [frozen for _, frozen in stored])
        both = zip((interval for interval, _ in stored), read, strict=True)
        frames.append([(one, frame) for one, frame in both if len(frame) and list(frame.columns) == columns])
    if not frames[0]:
        raise DataError(
            f"No stored snapshot of {spec.name} has the columns of its spec, {list(spec.stored)}. "
            f"Run the DAG `retrain_{spec.name}` under this spec first."
        )
    return frames[0], frames[1]


def _summaries(spec: "ModelSpec", found: "list[Tried]") -> list[dict[str, Any]]:
    from include.retraining import learning, tried

    intervals = {one.interval for each in found for one in each.outcomes}
    days = {interval: learning.day(interval, spec.timezone) for interval in intervals}
    return [tried.summary(one, days) for one in found]


def _left_out(past: "Past") -> list[str]:
    return [f"Left out: {one}." for one in past.left_out]


def _of_propose(parser: argparse.ArgumentParser) -> None:
    _of_model(parser)
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the suite there; never over a file")
    parser.add_argument("--force", action="store_true", help="write even over a file")


def _of_check(parser: argparse.ArgumentParser) -> None:
    _of_model(parser)
    parser.add_argument("--suite", type=Path, metavar="FILE", help="default: the suite that the model's spec names")


def _of_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", help="a model's name, as in include/models/")
    told = f"how many of the newest stored intervals; default {INTERVALS}"
    parser.add_argument("--intervals", type=_count, default=INTERVALS, metavar="N", help=told)


def _of_diff(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("old", metavar="OLD", help="a suite file; or a model's name, alone")
    parser.add_argument("new", metavar="NEW", nargs="?", help="a suite file")
    parser.add_argument("--since", metavar="REV", help="a git revision of the model's suite; default HEAD")


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"found {text!r}, expected a number of at least 1")
    return int(text)


ACTIONS: dict[str, tuple[Callable[[argparse.Namespace], int], Callable[[argparse.ArgumentParser], None]]] = {
    "propose": (propose, _of_propose),
    "check": (check, _of_check),
    "diff": (diff, _of_diff),
}


def add_actions(parser: argparse.ArgumentParser) -> None:
    """Add what can be done with suites to the parser of ``suite``."""
    parsers = parser.add_subparsers(required=True, metavar="ACTION")
    for name, (action, add_arguments) in ACTIONS.items():
        one = parsers.add_parser(name, help=str(action.__doc__))
        one.set_defaults(action=action)
        one.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print JSON instead of a table")
        add_arguments(one)
