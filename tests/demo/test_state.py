"""What a demo remembers, and that two never share a folder."""

import subprocess
import sys
from datetime import date

import pytest

from demo import state
from demo.plan import Goal
from demo.processes import ServiceError


def test_first_start_and_after(tmp_path):
    path = tmp_path / "goal.json"
    goal = state.read_goal(path, 15)
    assert goal == Goal(date(2013, 2, 10))
    state.write_goal(path, goal)
    assert state.read_goal(path, 3) == goal, "an interrupted demo goes on with its own goal"
    state.write_goal(path, Goal(goal.until, is_reached=True))
    assert state.read_goal(path, 3) == Goal(date(2013, 2, 13))
    assert [found.name for found in tmp_path.iterdir()] == ["goal.json"]


def test_second_demo_is_told_who_is_there(tmp_path):
    with state.sole_owner(tmp_path):
        code = f"from pathlib import Path\nfrom demo import state\nwith state.sole_owner(Path({str(tmp_path)!r})): pass"
        other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert other.returncode == 1
    assert f"A demo already uses {tmp_path}" in other.stderr
    with state.sole_owner(tmp_path):
        pass


def test_lock_of_a_killed_demo_is_free(tmp_path):
    code = (
        "import os\nfrom pathlib import Path\nfrom demo import state\n"
        f"with state.sole_owner(Path({str(tmp_path)!r})): os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code], check=False)
    with state.sole_owner(tmp_path):
        pass


@pytest.mark.parametrize("days", ["0", "-1", "two", "1.5"])
def test_days_must_be_a_number(monkeypatch, days):
    from demo.__main__ import _days

    monkeypatch.setenv("DAYS", days)
    with pytest.raises(ServiceError, match=f"DAYS is '{days}'; expected a whole number of days, 1 or more"):
        _days()
