"""Children are found and ended whatever they do, and nobody else is."""

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from demo import processes
from demo.processes import Child, ServiceError, end, free_port, members, running

ENV = {"PATH": os.environ["PATH"]}
SLEEP = [sys.executable, "-c", "import time; time.sleep(300)"]
# Runs off into a session of its own and hides its name, as Airflow's workers do.
WANDERER = """
import os, subprocess, sys, time
subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(300)'], start_new_session=True)
print('ready', flush=True)
time.sleep(300)
"""
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(300)"


def start(tmp_path, code=None):
    command = [sys.executable, "-c", code] if code else SLEEP
    child = Child("The child", command, ENV, tmp_path / "run", tmp_path / "logs" / "child.log")
    if code:
        child.wait_until(lambda: "ready" in child.log.read_text(), 20)
    return child


def test_stop_ends_what_the_child_started(tmp_path):
    with running(start(tmp_path, WANDERER)) as child:
        found = members(tmp_path / "run")
        assert len(found) == 2
    assert not child.is_alive()
    assert members(tmp_path / "run") == []
    assert not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in found)


def test_a_child_that_ignores_the_signal_is_killed(tmp_path):
    child = start(tmp_path, DEAF)
    begin = time.monotonic()
    child.stop(patience_s=0.5)
    assert time.monotonic() - begin < 5
    assert not child.is_alive()


def test_leftovers_of_a_killed_parent_are_ended_by_the_next_start(tmp_path):
    code = (
        "import os, sys\nfrom pathlib import Path\nfrom demo.processes import Child\n"
        f"Child('x', {SLEEP!r}, {{}}, Path({str(tmp_path / 'run')!r}), Path({str(tmp_path / 'x.log')!r}))\n"
        "os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGKILL
    (left,) = members(tmp_path / "run")
    with running(start(tmp_path)):
        assert left.pid not in {process.pid for process in members(tmp_path / "run")}


def test_processes_elsewhere_are_left_alone(tmp_path):
    (tmp_path / "run").mkdir()
    neighbour = subprocess.Popen(SLEEP, cwd=tmp_path, start_new_session=True)
    try:
        assert end(tmp_path / "run") == 0
        assert neighbour.poll() is None
    finally:
        neighbour.kill()
        neighbour.wait()


def test_a_persons_shell_in_the_folder_is_left_alone(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    parent, terminal = os.openpty()
    code = (
        "import fcntl, termios, time; fcntl.ioctl(0, termios.TIOCSCTTY, 0); print('ready', flush=True); time.sleep(300)"
    )
    shell = subprocess.Popen(
        [sys.executable, "-c", code], cwd=folder, stdin=terminal, stdout=terminal, start_new_session=True
    )
    os.read(parent, 100)
    try:
        assert end(folder) == 0
        assert shell.poll() is None
    finally:
        shell.kill()
        shell.wait()
        os.close(parent)
        os.close(terminal)


def test_an_early_end_is_told_with_the_last_words(tmp_path):
    child = Child(
        "The child",
        [sys.executable, "-c", "import sys; sys.exit('no disk')"],
        ENV,
        tmp_path / "run",
        tmp_path / "x.log",
    )
    with running(child), pytest.raises(ServiceError, match=r"The child ended with status 1(.|\n)*x\.log(.|\n)*no disk"):
        child.wait_until(lambda: False, 20)


def test_waiting_ends(tmp_path):
    child = start(tmp_path)
    with running(child), pytest.raises(ServiceError, match="was not ready after 0 s"):
        child.wait_until(lambda: False, 0.2)


def test_free_port_prefers_and_avoids():
    port = free_port()
    assert free_port(port) == port
    with processes.socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        assert processes.is_listening(port)
        assert free_port(port) != port
    assert not processes.is_listening(port)
