"""``reproduce`` in a terminal: a table, a sentence, and a status that a script can rely on."""

import json

import numpy as np
import pandas as pd
import pytest

from include.retraining import challengers, cli, connections, keys, signing, snapshots, specs
from include.retraining.registry import MANIFEST, Registry
from tests.conftest import SECRET, connection_env
from tests.retraining import toy

MODEL = "flight_delays"


def departures(number: int) -> pd.DataFrame:
    """Return one day of made-up departures: the hotter, the later."""
    spec, random = specs.load(MODEL), np.random.default_rng(number)
    frame = pd.DataFrame({name: random.normal(10, 3, toy.ROWS) for name in spec.numeric})
    words = {name: random.choice(["A", "B"], toy.ROWS) for name in (*spec.categorical, *spec.observed)}
    late = (frame[spec.numeric[0]] + random.normal(0, 2, toy.ROWS) > 10).astype("float64")
    return frame.assign(**words, flight=range(toy.ROWS), scheduled_at=toy.day(number).start, late=late, void=0)


@pytest.fixture
def registry(tmp_path, monkeypatch) -> Registry:
    """Return the registry that the environment's Connections name."""
    monkeypatch.setenv("AIRFLOW_CONN_STORE", json.dumps({"conn_type": "fs", "extra": {"path": str(tmp_path / "s")}}))
    key = connections.Settings("signing", "generic", login="key-1", password=SECRET)
    monkeypatch.setenv("AIRFLOW_CONN_SIGNING", connection_env(key))
    return connections.open_registry(specs.load(MODEL))


@pytest.fixture
def version(registry) -> str:
    """Return a version that was trained on four days."""
    spec = specs.load(MODEL)
    frames = [departures(number) for number in range(spec.windows.holdout_intervals + 5)]
    inputs = toy.pin(registry.store, registry.keyring, spec, frames)
    trained = challengers.train(registry, spec, inputs, toy.PASSED, "logistic_regression")
    return str(challengers.select(registry, spec, inputs, toy.PASSED, [trained])["version"])


def test_a_version_that_is_the_same_again_gives_status_0(registry, version, capsys):
    assert cli.main(["reproduce", MODEL, version]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0].split() == ["what", "stored", "again", "equal"]
    assert [line.split()[-1] for line in out[1:5]] == ["yes"] * 4
    assert out[-1].endswith("4 stored intervals: byte for byte the same artifact, which predicts exactly the same.")


def test_a_version_that_is_another_again_gives_status_1(registry, version, capsys):
    key, span, as_of = keys.version(MODEL, version, MANIFEST), keys.span(toy.day(0)), toy.day(9).end
    other = snapshots.freeze_snapshot(
        registry.store, registry.keyring, specs.load(MODEL), toy.day(0), as_of, departures(0)[::-1]
    )
    manifest = registry.manifest(version)
    manifest["digests"][span][0] = other.sha256
    manifest["parameters"] = {"C": 0.5}
    registry.store.put(key, signing.canonical(signing.sign(manifest, registry.keyring, "version")))
    assert cli.main(["reproduce", MODEL, version, "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["version"], told["equal"]) == (version, False)
    assert "predicts otherwise" in told["sentence"]
    assert [line["equal"] for line in told["comparisons"]] == ["no"] * 4


@pytest.mark.parametrize("asked", ["20240105-0123456789ab", "../x"])
def test_a_version_that_is_not_there_gives_one_line_and_status_1(registry, asked, capsys):
    assert cli.main(["reproduce", MODEL, asked]) == 1
    told = capsys.readouterr()
    assert (told.out, len(told.err.splitlines())) == ("", 1)
    assert asked in told.err
