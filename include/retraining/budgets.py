"""Door: a candidate with a budget is trained in a process of its own, which the kernel stops where the budget ends.

Time is a timer of the process itself: it ends inside any library, whatever that computes. Memory is a limit on its
address space beyond what its rows and libraries take (``RLIMIT_AS``): an allocation that is too large fails, so it
counts what is reserved, which is a little more than what is used. It holds on Linux. Rows and result travel as pickles
in a private folder; the log comes line by line. A process of its own costs its imports, some seconds.
"""

import logging
import os
import pickle
import resource
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from include.retraining.errors import BadInput, DataError
from include.retraining.fetching import PRIVATE
from include.retraining.fitting import CHEAPER, Fitted, train
from include.retraining.policies import Candidate
from include.retraining.spec import ModelSpec

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)
MEGABYTE = 1 << 20
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""Each thread reserves memory of its own; a fit uses one anyway."""
ASKED, ANSWER = "asked.pickle", "answer.pickle"


def within_budget(candidate: Candidate, intervals: Sequence["pd.DataFrame"], spec: ModelSpec) -> Fitted:
    """Return what ``fitting.train`` does, held to the candidate's time and memory where it has a budget.

    Raises
    ------
    DataError
        The budget was exceeded: what was found, what was allowed, what to do. Otherwise errors are those of ``train``.
    """
    if candidate.seconds is None and candidate.megabytes is None:
        return train(candidate, intervals, spec)
    with tempfile.TemporaryDirectory(prefix=PRIVATE) as name:
        folder = Path(name)
        (folder / ASKED).write_bytes(pickle.dumps((candidate, list(intervals), spec)))
        code, last = _run(folder)
        if code:
            raise DataError(_ended(candidate, code, last))
        answer: Fitted | Exception = pickle.loads((folder / ANSWER).read_bytes())
    if isinstance(answer, Exception):
        raise answer
    return answer


def _run(folder: Path) -> tuple[int, str]:
    """Return the exit code of the process and the last line that it logged."""
    command = [sys.executable, "-u", "-m", __name__, str(folder)]
    environment = {**os.environ, **ONE_THREAD, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    last = ""
    pipe, none, both = subprocess.PIPE, subprocess.DEVNULL, subprocess.STDOUT
    with subprocess.Popen(command, env=environment, stdin=none, stdout=pipe, stderr=both) as child:
        try:
            for line in child.stdout or ():
                last = line.decode(errors="replace").strip() or last
                log.info("%s", last)
        except BaseException:
            child.kill()  # the task is being stopped, and so is what it waits for
            raise
    return child.returncode, last


def _ended(candidate: Candidate, code: int, last: str) -> str:
    said = f"The last that it said: {last or 'nothing'}."
    if code == -signal.SIGALRM:
        found = f"was stopped after its {candidate.seconds:g} s"
        return f"Candidate {candidate.name} {found}. {said} {CHEAPER.format('seconds')}"
    how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
    held = f"; a library may end so that gets no more than its {candidate.megabytes} MB" if candidate.megabytes else ""
    return f"Candidate {candidate.name} {how}{held}. {said} Look into the log above."


def main(folder: Path) -> None:
    """Train what was asked for in a folder, within its budget, and write the answer beside it."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(message)s")
    candidate, intervals, spec = pickle.loads((folder / ASKED).read_bytes())
    answer: Fitted | BadInput
    ends = _limit(candidate)
    try:
        answer = train(candidate, intervals, spec)
    except BadInput as error:
        answer = error
    except MemoryError as error:
        traceback.clear_frames(error.__traceback__)  # what they hold is what there was too much of
        answer = DataError(
            f"Candidate {candidate.name} needs more than its {candidate.megabytes} MB: {error or 'no memory is left'}. "
            f"{CHEAPER.format('megabytes')}"
        )
    finally:
        resource.setrlimit(resource.RLIMIT_AS, ends)
    (folder / ANSWER).write_bytes(pickle.dumps(answer))


def _limit(candidate: Candidate) -> tuple[int, int]:
    """Start the timer and set the limit; return the limit of before."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    if candidate.megabytes is not None:
        if not sys.platform.startswith("linux"):
            log.warning("%s: its %d MB cannot be held on %s.", candidate.name, candidate.megabytes, sys.platform)
        else:
            taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_AS, (taken + int(candidate.megabytes * MEGABYTE), before[1]))
    if candidate.seconds is not None:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)  # nobody handles it, so the kernel ends the process
        signal.setitimer(signal.ITIMER_REAL, candidate.seconds)
    return before


def _start() -> NoReturn:
    main(Path(sys.argv[1]))
    sys.exit(0)


if __name__ == "__main__":
    _start()
