"""``replay`` in a terminal: what is printed and written, from where, and what is said when it cannot be."""

import io
import json

import pandas as pd
import pytest

from include.retraining import cli, replay_cli, rivals, specs
from include.retraining.replay_cli import Progress
from include.retraining.rivals import parse
from tests.retraining import replays, toy

COUNT = 16


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder of Parquet files with sixteen days."""
    found = tmp_path_factory.mktemp("rows")
    for number in range(COUNT):
        toy.rows(number).to_parquet(found / f"{number:02d}.parquet")
    return found


@pytest.fixture
def run(folder, tmp_path, monkeypatch, capsys):
    """Return a function that replays the parcels from that folder, and gives status, output and errors."""
    monkeypatch.setattr(specs, "load", lambda _: replays.SPEC)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))

    def call(*arguments, source=("--folder", str(folder))):
        status = cli.main(["replay", "parcels", *source, *arguments])
        return status, *capsys.readouterr()

    return call


def test_the_default_set_is_printed_and_nothing_is_written(run, folder, tmp_path):
    before = sorted(folder.iterdir())
    status, out, told = run()
    assert status == 0
    lines = out.splitlines()
    assert lines[0].split() == ["policy", "log", "loss", "against", "never", "gain", "fits", "promoted", "CPU", "cost"]
    names = {line.split()[0] for line in lines[1:10]}
    assert names == set(rivals.DEFAULT)
    assert "10 intervals, 2024-01-07 to 2024-01-16. Ours gets" in out
    assert out.endswith("Add --write FILE.html for the plot.\n")
    assert "every: 10 intervals, 10 models fitted" in told
    assert sorted(folder.iterdir()) == before
    assert [one.name for one in tmp_path.iterdir()] == ["caches"]


def test_another_policy_fits_what_is_new_alone(run):
    run("--policy", "never")
    _, _, told = run("--policy", "4")
    assert "models fitted" in told
    assert {line.split(", ")[1] for line in told.splitlines()} == {"0 models fitted"}


def test_page_and_json_are_written_and_never_over_files(run, tmp_path):
    page = tmp_path / "out.html"
    status, out, _ = run("--quick", "--policy", "4", "--write", str(page))
    assert (status, out.splitlines()[-1]) == (0, f"Written to {page} and {tmp_path / 'out.json'}.")
    assert page.read_text().startswith("<!DOCTYPE html>")
    found = json.loads((tmp_path / "out.json").read_text())
    assert [one["name"] for one in found["policies"]] == ["never", "4"]
    status, _, told = run("--quick", "--policy", "4", "--write", str(page))
    assert status == 1
    assert "exists. Give another file, or add --force to overwrite it." in told
    assert run("--quick", "--policy", "4", "--write", str(page), "--force")[0] == 0


def test_json_alone_is_printed(run):
    status, out, _ = run("--json", "--policy", "4", "--candidate", "hist_gradient_boosting")
    found = json.loads(out)
    assert status == 0
    assert found["candidates"] == ["hist_gradient_boosting"]
    assert found["first_champion"]["candidate"] == "hist_gradient_boosting"


def test_a_shuffled_history_says_so(run):
    _, out, _ = run("--policy", "4", "--shuffle", "1", "--quick")
    assert "in random order, so that nothing drifts" in out


def test_whole_selections(run):
    _, out, _ = run("--policy", "4", "--select", "--quick", "--no-cache", "--json")
    assert json.loads(out)["candidates"] == ["logistic_regression", "hist_gradient_boosting"]


def test_a_longer_first_window_begins_later(run):
    _, out, _ = run("--policy", "never", "--quick", "--first", "5", "--json")
    found = json.loads(out)
    assert (len(found["first_champion"]["trained"]), found["judged"]["intervals"]) == (5, 8)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--policy", "weekly"], "SpecError: There is no policy 'weekly'."),
        (["--candidate", "oracle"], "parcels has no candidate 'oracle'; it has logistic_regression, hist_gradient"),
        (["--first", "99"], "--first: found 99, expected 2 to 6 intervals"),
        (["--from", "2025-01-01"], "parcels has no data interval from 2025-01-01"),
        (["--from", "tomorrow"], "expected a day like 2013-02-01"),
        (["--to", "2024-01-05"], "has 4 labelled intervals: too few to fit a first champion on 3"),
        (["--write", "page.txt"], "expected a name that ends in .html"),
        (["--write", "/no/such/folder/a.html"], "There is no folder /no/such/folder"),
        (["--keep", "/tmp"], "Found --folder and --keep."),
    ],
)
def test_what_cannot_be_is_told_without_a_traceback(run, arguments, told):
    status, out, errors = run(*arguments)
    assert (status, out) == (1, "")
    assert told in errors


def test_holes_in_the_store_are_told(run, tmp_path, monkeypatch):
    from tests.retraining.test_suite_cli import connect

    connect(monkeypatch, tmp_path)
    status, _, told = run("--from", "2024-01-01", "--to", "2024-01-10", source=())
    assert status == 1
    assert "The store lacks the snapshots or labels of 9 of 9 intervals of parcels" in told
    status, _, told = run("--keep", str(tmp_path / "absent"), source=())
    assert "There is no folder" in told


class Terminal(io.StringIO):
    """Stands for a terminal."""

    def isatty(self):
        return True


def test_a_terminal_has_a_bar_that_goes_away(monkeypatch):
    monkeypatch.setattr(replay_cli, "EVERY_S", 0.0)
    out = Terminal()
    progress = Progress(out, 2)
    progress.begin(parse("every"), 2, 5)
    progress.step(1, 6)
    progress.step(2, 7)
    progress.end(7)
    shown = out.getvalue().split("\r\x1b[K")
    assert shown[1] == "[############............] 1/2 every (1 of 2), 1 fits, 1 of them now"
    assert shown[-1] == ""


def test_elsewhere_there_is_a_line_a_policy():
    out = io.StringIO()
    progress = Progress(out, 1)
    progress.begin(parse("7"), 2, 0)
    progress.step(1, 1)
    progress.end(1)
    assert out.getvalue().startswith("7: 2 intervals, 1 models fitted, ")


def test_the_folder_is_whole(folder):
    assert len(pd.read_parquet(folder / "00.parquet")) == toy.ROWS
