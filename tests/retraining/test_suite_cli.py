"""``suite propose``, ``check`` and ``diff`` on real flights: what is printed, what is written, and the status."""

import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from include.retraining import cli, connections, expectations, privacy, snapshots, specs, suite_cli, trials, warehouse
from include.retraining.store import Store
from tests.conftest import SECRET, connection_env
from tests.retraining.desks import objects

MODEL = "flight_delays"
SPEC = specs.load(MODEL)
DAYS = SPEC.timetable.intervals(datetime(2013, 2, 11, 5, tzinfo=UTC))[-4:]  # two ordinary days, then the storm


@pytest.fixture(scope="module")
def flights(warehouse_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder store with four days of February 2013."""
    folder = tmp_path_factory.mktemp("flights")
    settings = connections.Settings("warehouse", "sqlite", host=str(warehouse_file))
    with pytest.MonkeyPatch.context() as patch:
        connect(patch, folder)
        store, keyring = connections.open_store(), connections.open_keyring()
        for day in DAYS:
            for freeze, as_of in (
                (snapshots.freeze_snapshot, day.end),
                (snapshots.freeze_labels, day.end + SPEC.label_delay),
            ):
                rows = privacy.private_view(warehouse.read(settings, SPEC, day, as_of), SPEC, "p" * 32)
                freeze(store, keyring, SPEC, day, as_of, rows)
    return folder


def connect(patch: pytest.MonkeyPatch, folder: Path) -> None:
    patch.setenv("AIRFLOW_CONN_STORE", json.dumps({"conn_type": "fs", "extra": {"path": str(folder)}}))
    key = connections.Settings("signing", "generic", login="key-1", password=SECRET)
    patch.setenv("AIRFLOW_CONN_SIGNING", connection_env(key))


@pytest.fixture
def store(flights: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Return that store, as the environment's Connections name it."""
    connect(monkeypatch, flights)
    return connections.open_store()


def write(path: Path, *listed: dict[str, object]) -> Path:
    path.write_text(json.dumps({"name": MODEL, "expectations": list(listed)}))
    return path


def departed(severity: str, low: float) -> dict[str, object]:
    kwargs = {"column": "departed", "min_value": low, "max_value": 1}
    return {
        "type": "expect_column_mean_to_be_between",
        "kwargs": kwargs,
        "severity": severity,
        "meta": {"notes": "why"},
    }


def test_a_proposal_is_printed_and_written_only_where_it_is_told_to(store, tmp_path, capsys):
    before, file = objects(store), tmp_path / "suite.json"
    assert cli.main(["suite", "propose", MODEL, "--intervals", "2", "--write", str(file)]) == 0
    out = capsys.readouterr().out
    assert "Proposed from 2 intervals, 2013-02-09 to 2013-02-10, with " in out
    assert "expectations held on every interval on which they could be judged." in out
    assert out.endswith(f"Written to {file}.\n")
    assert objects(store) == before
    suite = expectations.load(file)
    assert len(suite.expectations) > 50
    assert cli.main(["suite", "diff", str(file), str(file)]) == 0
    assert capsys.readouterr().out == "The two suites are the same.\n"
    text = file.read_text()
    stored = trials.gather(store, connections.open_keyring(), SPEC, 4).snapshots
    tails = {tail for _, frozen in stored for tail in snapshots.read(store, frozen)["tailnum"].dropna()}
    assert len(tails) > 1000
    assert not [tail for tail in tails if tail in text or tail in out]


def test_no_file_is_overwritten_unless_it_is_forced(store, tmp_path, capsys):
    file = write(tmp_path / "suite.json", departed("warning", 0.9))
    before = file.read_bytes()
    assert cli.main(["suite", "propose", MODEL, "--intervals", "1", "--write", str(file)]) == 1
    assert f"{file} exists. Give another file, or add --force" in capsys.readouterr().err
    assert cli.main(["suite", "propose", MODEL, "--write", str(tmp_path / "no" / "suite.json")]) == 1
    assert "There is no folder" in capsys.readouterr().err
    assert file.read_bytes() == before
    assert cli.main(["suite", "propose", MODEL, "--intervals", "1", "--write", str(file), "--force", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert json.loads(file.read_text()) == told["suite"]
    own = [one for one in told["expectations"] if one["source"] == "suite"]
    assert [one["failed_on"] for one in own] == [[]] * len(told["suite"]["expectations"])


def test_check_names_the_days_on_which_an_expectation_would_have_failed(store, tmp_path, capsys):
    file = write(tmp_path / "suite.json", departed("warning", 0.9), departed("info", 0.1))
    assert cli.main(["suite", "check", MODEL, "--suite", str(file)]) == 0
    first, second = (line for line in capsys.readouterr().out.splitlines() if line.startswith("snapshot  suite"))
    assert "mean must be between 0.9 and 1" in first
    assert "2 of 4" in first
    assert "2013-02-09, 2013-02-08" in first, "newest first"
    assert "0.4254" in first
    assert "4 of 4" in second


def test_check_fails_where_a_run_would_have_been_refused(store, tmp_path, capsys):
    file = write(tmp_path / "suite.json", departed("critical", 0.9))
    assert cli.main(["suite", "check", MODEL, "--suite", str(file), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    (found,) = (one for one in told["expectations"] if one["source"] == "suite")
    assert (found["held"], found["judged"], found["failed_on"]) == (2, 4, ["2013-02-09", "2013-02-08"])
    assert (found["worst"], found["worst_on"]) == ("0.4254", "2013-02-09")
    assert cli.main(["suite", "check", MODEL, "--suite", str(file), "--intervals", "1"]) == 0
    assert "Tried on the snapshots of 1 interval and the labels of 1 interval." in capsys.readouterr().out


def test_check_tries_the_suite_of_the_model_by_default(store, capsys):
    assert cli.main(["suite", "check", MODEL, "--intervals", "1"]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith(("snapshot", "labels"))]
    own = [line for line in lines if line.split()[1] == "suite"]
    assert len(own) == len(expectations.load(SPEC.suite).expectations)
    judged = [line for line in own if "not judged" not in line]
    assert len(judged) > len(own) // 2
    assert all("1 of 1" in line for line in judged)
    assert "not judged" in next(line for line in lines if "of the same weekday" in line)


def test_diff_of_two_files(tmp_path, capsys):
    old = write(tmp_path / "old.json", departed("warning", 0.9))
    new = write(tmp_path / "new.json", departed("warning", 0.8))
    assert cli.main(["suite", "diff", str(old), str(new)]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == [
        "changed  snapshot  warning   column_mean_to_be_between  departed  min_value 0.9 → 0.8",
        "0 added, 0 removed, 1 changed.",
    ]
    assert cli.main(["suite", "diff", str(old), str(new), "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["differences"]
    assert found["changes"] == [{"field": "min_value", "old": 0.9, "new": 0.8}]
    assert cli.main(["suite", "diff", str(old), str(new), "--since", "HEAD"]) == 1
    assert "Give two files, or one model and --since" in capsys.readouterr().err


def test_diff_of_a_model_names_a_revision_that_is_not_there(capsys):
    assert cli.main(["suite", "diff", MODEL, "--since", "no-such-revision"]) == 1
    assert "no flight_delays_suite.json at git revision 'no-such-revision'" in capsys.readouterr().err


def git(folder: Path, *arguments: str) -> None:
    who = ["-c", "user.name=ann", "-c", "user.email=ann@example.org"]
    subprocess.run(["git", "-C", str(folder), *who, *arguments], check=True, capture_output=True)


def test_a_file_is_read_at_a_git_revision(tmp_path):
    file = write(tmp_path / "suite.json", departed("warning", 0.9))
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    write(file, departed("warning", 0.8))
    assert suite_cli.at_revision(file, "HEAD").expectations[0]["kwargs"]["min_value"] == 0.9
    git(tmp_path, "commit", "-qam", "second")
    assert suite_cli.at_revision(file, "HEAD").expectations[0]["kwargs"]["min_value"] == 0.8
    assert suite_cli.at_revision(file, "HEAD~1").expectations[0]["kwargs"]["min_value"] == 0.9
    for revision, told in (("nonesuch", "nonesuch"), ("--output=x", "output")):
        with pytest.raises(suite_cli.SpecError, match=f"no suite.json at git revision .*{told}"):
            suite_cli.at_revision(file, revision)
    assert not (tmp_path / "x").exists()
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "third")
    file.write_text("{")
    git(tmp_path, "commit", "-qam", "torn")
    with pytest.raises(suite_cli.SpecError, match="is not valid JSON"):
        suite_cli.at_revision(file, "HEAD")


@pytest.mark.parametrize("arguments", [[], ["nothing"], ["check", MODEL, "--intervals", "0"], ["diff"]])
def test_calls_that_are_wrong_say_how_to_call(arguments, capsys):
    with pytest.raises(SystemExit, match="2"):
        cli.main(["suite", *arguments])
    assert "usage: python -m include.retraining suite" in capsys.readouterr().err
