"""The command line over a real store: what it prints, its exit status, and that verify finds what was broken."""

import json
import os
import time
from pathlib import Path

import pytest

from include.retraining import cli, connections, keys, libraries, specs
from include.retraining.registry import Registry
from include.retraining.windows import Interval, datetime
from tests.conftest import SECRET, connection_env
from tests.retraining.desks import trained

MODEL, VERSION = "flight_delays", "20130120-0123456789ab"
AS_OF = datetime.fromisoformat("2013-01-28T05:00:00+00:00")


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """Return the registry that the environment's Connections name, empty."""
    monkeypatch.setenv("AIRFLOW_CONN_STORE", json.dumps({"conn_type": "fs", "extra": {"path": str(tmp_path / "s")}}))
    key = connections.Settings("signing", "generic", login="key-1", password=SECRET)
    monkeypatch.setenv("AIRFLOW_CONN_SIGNING", connection_env(key))
    return Registry(connections.open_store(), connections.open_keyring(), MODEL)


@pytest.fixture
def champion(registry: Registry) -> Registry:
    """Return the registry with one version, promoted."""
    about = {
        "candidate": "logistic_regression",
        "training_window": {"start": "2013-01-01T05:00:00+00:00", "end": "2013-01-20T05:00:00+00:00"},
        "rows": 15000,
        "run": f"{MODEL}/runs/20130127T050000Z--20130128T050000Z/manual__1/",
        "libraries": libraries.versions(),
    }
    registry.register(VERSION, {**trained(), "baseline.json": b"{}"}, about)
    entry = {"reason": "Clearly better.", "actor": "scheduled", "nonce": "n", "run": about["run"]}
    registry.promote(VERSION, 0, AS_OF, {**entry, "verdict_sha256": "0" * 64})
    return registry


def test_an_empty_registry_says_so_kindly(registry: Registry, capsys) -> None:
    assert cli.main(["versions", MODEL]) == 0
    assert capsys.readouterr().out == "flight_delays has no version yet.\n"


def test_versions_mark_the_champion(champion: Registry, capsys) -> None:
    assert cli.main(["versions", MODEL]) == 0
    out = capsys.readouterr().out
    assert VERSION in out
    assert "yes" in out
    assert "2013-01-01 to 2013-01-20" in out


def test_promotions_tell_who_and_why(champion: Registry, capsys) -> None:
    assert cli.main(["promotions", MODEL, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [
        {
            "number": 1,
            "action": "promote",
            "version": VERSION,
            "previous_version": None,
            "effective_from": "20130128T050000Z",
            "actor": "scheduled",
            "reason": "Clearly better.",
        }
    ]


def test_verify_is_content_with_what_was_written(champion: Registry, capsys) -> None:
    assert cli.main(["verify", MODEL]) == 0
    assert "every hash, signature and link holds" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("key", "data", "words"),
    [
        (keys.version(MODEL, VERSION, "model.joblib"), b"bytez", "has 5 bytes"),
        (keys.version(MODEL, VERSION, "model.joblib"), b"byte", "4 bytes"),
        (keys.version(MODEL, VERSION, "manifest.json"), b'{"version": "x"}', "not signed"),
        (keys.promotion(MODEL, 1), b"{", "not JSON"),
        (keys.promotion(MODEL, 3), b"{}", "the log has no gaps"),
        (keys.version(MODEL, "20130121-ffffffffffff", "model.joblib"), b"x", "a crash left it"),
        (keys.snapshots(MODEL, Interval(AS_OF, AS_OF.replace(day=29))) + "x/rows.parquet", b"x", "a crash left it"),
    ],
)
def test_verify_names_what_is_broken_and_what_to_do(
    champion: Registry, capsys, tmp_path: Path, key: str, data: bytes, words: str
) -> None:
    put_long_ago(champion, tmp_path, key, data)
    assert cli.main(["verify", MODEL]) == 1
    out = capsys.readouterr().out
    assert key in out
    assert words in out
    assert "Repair: " in out


def put_long_ago(registry: Registry, tmp_path: Path, key: str, data: bytes) -> None:
    """Write an object as if three days had passed since."""
    registry.store.put(key, data)
    moment = time.time() - 3 * 86400
    os.utime(tmp_path / "s" / key, (moment, moment))


def test_verify_of_all_models_goes_on_where_one_cannot_be_read(champion: Registry, capsys) -> None:
    assert cli.main(["verify", "--all"]) == 0
    named = [line.partition(":")[0] for line in capsys.readouterr().out.splitlines()]
    assert named == specs.names()
    champion.store.delete(keys.promotion(MODEL, 1))
    assert cli.main(["verify", "--all", "--json"]) == 1
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["model"], found["key"], found["check"]) == (MODEL, keys.promotion(MODEL, 1), "chain")
    assert found["repair"].startswith("Restore ")


def test_verify_of_all_names_what_belongs_to_no_spec(champion: Registry, capsys, tmp_path: Path) -> None:
    """A model whose spec is gone is checked and collected by nobody, and neither is what a killed doctor left."""
    champion.store.put("old_model/versions/1/model.joblib", b"abc")
    champion.store.put("stray", b"x")
    champion.store.put(keys.probe("young"), b"x")
    put_long_ago(champion, tmp_path, keys.probe("killed"), b"x")
    assert cli.main(["verify", MODEL]) == 0
    capsys.readouterr()
    assert cli.main(["verify", "--all"]) == 1
    assert capsys.readouterr().out.splitlines()[len(specs.names()) :] == [
        "old_model/",
        "  unknown: No spec is named so: 1 objects of 3 bytes that nobody verifies or collects.",
        "  Repair: Put the spec back into include/models/, or move old_model/ out of the store.",
        "stray",
        "  unknown: No spec is named so: 1 objects of 1 bytes that nobody verifies or collects.",
        "  Repair: Put the spec back into include/models/, or move stray out of the store.",
        keys.probe("killed"),
        "  remains: A killed check of the store left it.",
        "  Repair: Run `python -m include.retraining doctor`: it removes what earlier checks left.",
    ]
    assert cli.main(["verify", "--all", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert [(one["model"], one["key"]) for one in told][:2] == [(None, "old_model/"), (None, "stray")]


@pytest.mark.parametrize("arguments", [[], [MODEL, "--all"]])
def test_verify_wants_a_model_or_all(arguments, capsys) -> None:
    with pytest.raises(SystemExit, match="2"):
        cli.main(["verify", *arguments])
    assert "--all" in capsys.readouterr().err


def test_collect_tells_and_deletes_only_when_it_is_told_to(champion: Registry, capsys, tmp_path: Path) -> None:
    torn = keys.version(MODEL, "20130121-ffffffffffff", "model.joblib")
    put_long_ago(champion, tmp_path, torn, b"half")
    assert cli.main(["collect", MODEL]) == 0
    out = capsys.readouterr().out
    assert "left by a crash: no manifest names it" in out
    assert "To free: 1 objects, 4 bytes.\nDry run: nothing was deleted. Add --delete to delete it." in out
    assert champion.store.get(torn) == b"half"
    assert cli.main(["collect", MODEL, "--delete", "--reason", "room"]) == 0
    assert "Deleted 1 objects of 4 bytes, as flight_delays/collections/" in capsys.readouterr().out
    (record,) = champion.store.list(keys.collections(MODEL))
    content = json.loads(champion.store.get(record.key))
    assert (content["reason"], content["actor"][:4]) == ("room", "cli:")
    assert cli.main(["verify", MODEL]) == 0


def test_collect_can_be_read_by_machines(champion: Registry, capsys, tmp_path: Path) -> None:
    torn = keys.version(MODEL, "20130121-ffffffffffff", "model.joblib")
    put_long_ago(champion, tmp_path, torn, b"half")
    assert cli.main(["collect", MODEL, "--delete", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["deleted"] == [torn]
    assert {"kind", "answer", "reason", "objects", "bytes", "oldest"} == set(told["plan"][0])


def test_collect_deletes_nothing_where_the_log_does_not_hold(champion: Registry, capsys, tmp_path: Path) -> None:
    torn = keys.version(MODEL, "20130121-ffffffffffff", "model.joblib")
    put_long_ago(champion, tmp_path, torn, b"half")
    champion.store.delete(keys.promotion(MODEL, 1))
    assert cli.main(["collect", MODEL, "--delete"]) == 1
    assert "the log has no gaps" in capsys.readouterr().err
    assert champion.store.get(torn) == b"half"


def test_an_unknown_model_names_those_that_exist(registry: Registry, capsys) -> None:
    assert cli.main(["versions", "nonesuch"]) == 1
    assert f"Known models: {', '.join(specs.names())}." in capsys.readouterr().err


def test_a_missing_connection_names_it_and_the_file(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_STORE", raising=False)
    assert cli.main(["versions", MODEL]) == 1
    assert "Set AIRFLOW_CONN_STORE in the environment" in capsys.readouterr().err
