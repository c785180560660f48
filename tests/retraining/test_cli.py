"""The command line over a real store: what it prints, its exit status, and that verify finds what was broken."""

import json
from pathlib import Path

import pytest

from include.retraining import cli, connections, keys
from include.retraining.registry import Registry, library_versions
from include.retraining.windows import Interval, datetime
from tests.conftest import SECRET, connection_env

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
        "libraries": library_versions(),
    }
    registry.register(VERSION, {"model.joblib": b"bytes", "baseline.json": b"{}"}, about)
    entry = {"action": "promote", "reason": "Clearly better.", "actor": "scheduled", "nonce": "n", "run": about["run"]}
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
        (keys.version(MODEL, VERSION, "model.joblib"), b"bytez", "sha256"),
        (keys.version(MODEL, VERSION, "model.joblib"), b"byte", "4 bytes"),
        (keys.version(MODEL, VERSION, "manifest.json"), b'{"version": "x"}', "not signed"),
        (keys.promotion(MODEL, 1), b"{", "not JSON"),
        (keys.promotion(MODEL, 3), b"{}", "no place in the log"),
        (keys.version(MODEL, "20130121-ffffffffffff", "model.joblib"), b"x", "left by a crash"),
        (keys.snapshots(MODEL, Interval(AS_OF, AS_OF.replace(day=29))) + "x/rows.parquet", b"x", "left by a crash"),
    ],
)
def test_verify_names_what_is_broken_and_what_to_do(
    champion: Registry, capsys, key: str, data: bytes, words: str
) -> None:
    champion.store.put(key, data)
    assert cli.main(["verify", MODEL]) == 1
    out = capsys.readouterr().out
    assert key in out
    assert words in out


def test_doctor_proves_the_store_and_loads_the_specs(registry: Registry, capsys) -> None:
    assert cli.main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert "put-if-absent holds" in out
    assert "spec flight_delays" in out


def test_an_unknown_model_names_those_that_exist(registry: Registry, capsys) -> None:
    assert cli.main(["versions", "nonesuch"]) == 1
    assert "Known models: flight_delays" in capsys.readouterr().err


def test_a_missing_connection_names_it_and_the_file(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_STORE", raising=False)
    assert cli.main(["versions", MODEL]) == 1
    assert "Set AIRFLOW_CONN_STORE in the environment" in capsys.readouterr().err
