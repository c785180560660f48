"""Child processes that can always be found and ended, also by the demo that comes after a killed one.

A child runs in a session of its own and in an empty working folder that belongs to it alone. All that
it starts inherits the folder, whatever it does with process groups, titles and descriptors, so the
folder identifies leftovers without trusting a process id that may have been given to somebody else.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import psutil

LOOPBACK = "127.0.0.1"
_POLL_S = 0.1


class ServiceError(RuntimeError):
    """A service did not start or did not stop; the message says which, why and where its log is."""


def free_port(preferred: int | None = None) -> int:
    """Return `preferred` if nothing listens there, else a port that the system says is free."""
    for port in (preferred, 0):
        if port is None:
            continue
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((LOOPBACK, port))
            return int(probe.getsockname()[1])
    raise ServiceError(f"No port is free on {LOOPBACK}.")


def is_listening(port: int) -> bool:
    """Tell whether something answers on a loopback port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((LOOPBACK, port)) == 0


def members(folder: Path) -> list[psutil.Process]:
    """List the processes that work in `folder` and have no terminal.

    Parameters
    ----------
    folder : Path
        Working folder of a child. A person's shell that happens to stand there has a terminal and is left alone.
    """
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if Path(process.cwd()) == folder.resolve() and not _has_terminal(process):
                found.append(process)
    return [process for process in found if process.pid != os.getpid()]


def _has_terminal(process: psutil.Process) -> bool:
    stat = Path("/proc", str(process.pid), "stat")
    if not stat.exists():
        return process.terminal() is not None
    # psutil 7.2 remembers the terminals that there were at its first call and knows none opened since.
    return stat.read_text().rpartition(")")[2].split()[4] != "0"


def end(folder: Path, patience_s: float = 10.0) -> int:
    """End every process that works in `folder` and return how many there were."""
    first = living = members(folder)
    for sign, wait_s in ((signal.SIGTERM, patience_s), (signal.SIGKILL, 5.0)):
        for process in living:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(sign)
        deadline = time.monotonic() + wait_s
        while (living := members(folder)) and time.monotonic() < deadline:
            psutil.wait_procs(living, timeout=_POLL_S)
    if living:
        raise ServiceError(f"Could not end {[process.pid for process in living]} in {folder}.")
    return len(first)


class Child:
    """A service in a session and a working folder of its own, logging to a file."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        env: Mapping[str, str],
        folder: Path,
        log: Path,
        user: str | None = None,
    ) -> None:
        """Start `command` in `folder`, as another user if one is named; what an earlier start left there is ended."""
        self.name, self.folder, self.log = name, folder, log
        for needed in (folder, log.parent):
            needed.mkdir(parents=True, exist_ok=True)
        end(folder)
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                list(command),
                env=dict(env),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=user,
                group=user,
                extra_groups=[] if user else None,
            )

    def is_alive(self) -> bool:
        """Tell whether the process that was started still runs."""
        return self._process.poll() is None

    def wait_until(self, is_ready: Callable[[], bool], patience_s: float) -> None:
        """Wait until `is_ready()` is true; fail early when the process ends."""
        deadline = time.monotonic() + patience_s
        while not is_ready():
            if not self.is_alive():
                raise ServiceError(f"{self.name} ended with status {self._process.returncode}. {self.last_words()}")
            if time.monotonic() > deadline:
                raise ServiceError(f"{self.name} was not ready after {patience_s:.0f} s. {self.last_words()}")
            time.sleep(_POLL_S)

    def last_words(self, lines: int = 15) -> str:
        """Return the end of the log, and where it is."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return f"The end of {self.log}:\n" + "\n".join(text.splitlines()[-lines:])

    def stop(self, patience_s: float = 10.0) -> None:
        """End the process and everything that it started."""
        end(self.folder, patience_s)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=5)


@contextlib.contextmanager
def running(child: Child) -> Iterator[Child]:
    """Stop `child` on the way out, whatever happened."""
    try:
        yield child
    finally:
        child.stop()
