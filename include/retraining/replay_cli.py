"""``python -m include.retraining replay``: a decision history under other policies, without Airflow."""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from include.retraining import connections, specs, tables
from include.retraining.errors import DataError, SpecError

if TYPE_CHECKING:
    from include.retraining.policies import Candidate
    from include.retraining.replayed import History
    from include.retraining.rivals import Rival
    from include.retraining.spec import ModelSpec

BAR = 24
EVERY_S = 0.1
"""A terminal is told so often."""


def replay(asked: argparse.Namespace) -> int:
    """Compare when to retrain on stored history: never, by calendar, as the spec says, or by a function of yours."""
    from include.retraining import replay_report, replaying, rivals
    from include.retraining.refits import Fits, default_folder
    from include.retraining.replay_scores import Scores

    spec, listed = specs.load(asked.model), rivals.parse_all(_names(asked))
    candidates, first, out = _candidates(asked, spec), _first(asked, spec), _target(asked)
    progress = Progress(sys.stderr, len(listed))
    history = _history(asked, spec, progress)
    fits = Fits(history, candidates, None if asked.no_cache else asked.cache or default_folder())
    scores = Scores(history, fits)
    begun = replaying.stage(history, scores, first)
    played = []
    for rival in listed:
        progress.begin(rival, len(begun.moments) - 1, fits.made)
        played.append(replaying.play(begun, scores, rival, lambda count: progress.step(count, fits.made)))
        progress.end(fits.made)
    about = {"candidates": [one.name for one in candidates], "first": first, "shuffle": asked.shuffle}
    found = replay_report.report(history, begun, played, about)
    _write(out, found)
    _tell(asked, found, out)
    return 0


class Progress:
    """A bar in a terminal; elsewhere a line for each policy."""

    def __init__(self, out: TextIO, policies: int) -> None:
        self.out, self.policies, self.is_terminal = out, policies, out.isatty()
        self._policy, self._number, self._of, self._done, self._made = "", 0, 1, 0, 0
        self._began = self._told = 0.0

    def begin(self, rival: "Rival", intervals: int, made: int) -> None:
        """Begin a policy."""
        self._policy, self._number, self._of, self._done, self._made = rival.name, self._number + 1, intervals, 0, made
        self._began = time.monotonic()

    def step(self, fits: int, made: int) -> None:
        """Tell that one more interval is done."""
        self._done += 1
        told = f"{self._policy} ({self._number} of {self.policies}), {fits} fits, {made - self._made} of them now"
        self.bar(self._done, self._of, told)

    def end(self, made: int) -> None:
        """End a policy."""
        self._clear()
        new = made - self._made
        if not self.is_terminal:
            took = f"{time.monotonic() - self._began:.1f} s"
            print(f"{self._policy}: {self._of} intervals, {new} models fitted, {took}", file=self.out)

    def bar(self, done: int, of: int, told: str) -> None:
        """Draw how much is done, not too often."""
        if not self.is_terminal or (done < of and time.monotonic() - self._told < EVERY_S):
            return
        self._told = time.monotonic()
        full = BAR * done // max(1, of)
        print(f"\r\x1b[K[{'#' * full}{'.' * (BAR - full)}] {done}/{of} {told}", end="", file=self.out, flush=True)
        if done >= of:
            self._clear()

    def _clear(self) -> None:
        if self.is_terminal:
            print("\r\x1b[K", end="", file=self.out, flush=True)


def _names(asked: argparse.Namespace) -> list[str]:
    """Return the policies: those asked for, and the two that give the others their scale."""
    from include.retraining import rivals

    names = list(asked.policy or rivals.DEFAULT)
    scale = [rivals.NEVER] if asked.quick else [rivals.NEVER, rivals.EVERY]
    if asked.quick and rivals.EVERY not in (asked.policy or []):
        names = [one for one in names if one != rivals.EVERY]
    return [*(one for one in scale if one not in names), *names]


def _candidates(asked: argparse.Namespace, spec: "ModelSpec") -> "tuple[Candidate, ...]":
    if asked.select:
        return spec.candidates
    names = [one.name for one in spec.candidates]
    wanted = asked.candidate or names[0]
    if wanted not in names:
        raise SpecError(f"{spec.name} has no candidate {wanted!r}; it has {', '.join(names)}.")
    return (spec.candidates[names.index(wanted)],)


def _first(asked: argparse.Namespace, spec: "ModelSpec") -> int:
    least, most = spec.gap_intervals + 2, spec.windows.training_intervals
    first = int(asked.first or spec.windows.minimum_training_intervals)
    if not least <= first <= most:
        raise SpecError(f"--first: found {first}, expected {least} to {most} intervals (windows.training_intervals).")
    return first


def _history(asked: argparse.Namespace, spec: "ModelSpec", progress: Progress) -> "History":
    from include.retraining import histories, intake
    from include.retraining.replayed import shuffled

    first, last = (None if one is None else histories.moment(one, spec) for one in (asked.begin, asked.until))
    wanted = histories.Range(first, last)
    if asked.folder is not None and asked.keep is not None:
        raise SpecError("Found --folder and --keep. Keep what is pulled first, then replay from that folder.")
    if asked.folder is not None:
        found = histories.from_folder(asked.folder, spec, wanted)
    else:
        if asked.keep is not None and not asked.keep.is_dir():
            raise DataError(f"There is no folder {asked.keep}. Make it, or give another --keep.")
        now = intake.now_utc()
        reading = histories.Pull(asked.keep, lambda done, of: progress.bar(done, of, "intervals read"), now)
        pull = reading if asked.pull or asked.keep is not None else None
        found = histories.from_store(connections.open_store(), connections.open_keyring(), spec, wanted, pull)
    return found if asked.shuffle is None else shuffled(found, asked.shuffle)


def _target(asked: argparse.Namespace) -> Path | None:
    """Return where the page goes; refuses to write over a file."""
    page: Path | None = asked.write
    if page is None:
        return None
    if page.suffix != ".html":
        raise SpecError(f"--write: found {page}, expected a name that ends in .html; the JSON goes beside it.")
    if not page.parent.is_dir():
        raise SpecError(f"There is no folder {page.parent}. Make it, or give another file.")
    if taken := [str(one) for one in (page, page.with_suffix(".json")) if one.exists() and not asked.force]:
        raise SpecError(f"{' and '.join(taken)} exists. Give another file, or add --force to overwrite it.")
    return page


def _write(page: Path | None, found: dict[str, Any]) -> None:
    from include.retraining import replay_page

    if page is None:
        return
    try:
        page.write_text(replay_page.page(found), encoding="utf-8")
        page.with_suffix(".json").write_text(json.dumps(found, indent=1), encoding="utf-8")
    except OSError as error:
        raise SpecError(f"{page} cannot be written: {error.strerror}. Give another file.") from None


def _tell(asked: argparse.Namespace, found: dict[str, Any], page: Path | None) -> None:
    from include.retraining import replay_report

    if asked.json:
        print(json.dumps(found, indent=1))
        return
    written = f"Written to {page} and {page.with_suffix('.json')}." if page else "Add --write FILE.html for the plot."
    left = [f"Left out: {len(found['left_out'])}, the first {found['left_out'][0]}."] if found["left_out"] else []
    print("\n".join([*tables.render(replay_report.table(found)), "", replay_report.sentence(found), *left, written]))


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"found {text!r}, expected a number of at least 0")
    return int(text)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``replay``."""
    add = parser.add_argument
    add("model", help="a model's name, as in include/models/")
    add("--from", dest="begin", metavar="DAY", help="first interval; default: the first that is stored")
    add("--to", dest="until", metavar="DAY", help="end of the last interval, a day excluded; default: what is stored")
    told = "never, every, a number of intervals, ours, or module:function; may be repeated, and end in +recalibration"
    add("--policy", action="append", metavar="NAME", help=f"{told} and +gate")
    add("--first", type=_count, metavar="N", help="intervals that the first champion is fitted on; default: the fewest")
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument("--candidate", metavar="NAME", help="of the spec; default: its first")
    chosen.add_argument("--select", action="store_true", help="fit all candidates each time and choose, as runs do")
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--folder", type=Path, metavar="DIR", help="Parquet files in place of the store")
    source.add_argument(
        "--pull", action="store_true", help="read what is not stored from the warehouse, for this replay"
    )
    add("--keep", type=Path, metavar="DIR", help="--pull, and write what was read there, for --folder")
    add("--shuffle", type=_count, metavar="SEED", help="days in random order: nothing drifts")
    add("--quick", action="store_true", help="leave out `every`, which takes longest: gain and cost stay unknown")
    kept = parser.add_mutually_exclusive_group()
    kept.add_argument("--cache", type=Path, metavar="DIR", help="default: airflow-retraining/replay in your caches")
    kept.add_argument("--no-cache", action="store_true", help="fit everything again and keep nothing")
    add("--write", type=Path, metavar="FILE.html", help="table and plot as a page, and as JSON beside it")
    add("--force", action="store_true", help="write even over files")
