"""The doctor tells every line, whatever fails, and what to do about it."""

import json
from dataclasses import replace

import pytest

from include.retraining import cli, connections, doctor, intake, probes, specs
from include.retraining.errors import SpecError
from tests.conftest import SECRET, connection_env
from tests.retraining.proxy import silent_about, without

WAREHOUSE = connections.Settings("warehouse", "sqlite", host="/nowhere/warehouse.sqlite")
PSEUDONYMS = connections.Settings("pseudonyms", "generic", login="key-1", password=SECRET)
OF_EVERY_STORE = {probe.check for probe in probes.PROBES} | {"store answers", "clock", "earlier checks"}
OF_A_MODEL = ("spec {}", "artifacts of {}", "Connection warehouse for {}", "Connection pseudonyms for {}")
OF_AN_INSTALLATION = {"signing key", *(check.format(name) for check in OF_A_MODEL for name in specs.names())}


@pytest.fixture
def connect(monkeypatch, tmp_path):
    """Return a setter of Connections; at first there are all that are needed, and a folder."""

    def set_all(*found: connections.Settings) -> None:
        for one in found:
            monkeypatch.setenv(f"AIRFLOW_CONN_{one.name.upper()}", connection_env(one))

    folder = connections.Settings("store", "fs", extra={"path": str(tmp_path / "store")})
    set_all(folder, connections.Settings("signing", "generic", login="key-1", password=SECRET), WAREHOUSE, PSEUDONYMS)
    return set_all


@pytest.fixture
def bucket(s3_settings) -> connections.Settings:
    """Return a bucket of the small server: tests/servers has its own questions to Ceph."""
    return s3_settings


def examined() -> dict[str, probes.Diagnosis]:
    found = doctor.examine(intake.now_utc)
    assert len({one.check for one in found}) == len(found)
    return {one.check: one for one in found}


def failed(found: dict[str, probes.Diagnosis]) -> set[str]:
    return {check for check, one in found.items() if one.state == probes.FAILED}


def test_a_sound_installation_passes_every_check(connect, capsys):
    assert cli.main(["doctor", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {one["check"]: one["state"] for one in told} == dict.fromkeys(OF_EVERY_STORE | OF_AN_INSTALLATION, "ok")
    assert {one["check"] for one in told if one["required"]} == {
        "store answers",
        "put-if-absent",
        "one winner of 8",
        "newest bytes",
        "deleted is absent",
        "listed at once",
        "signing key",
    }
    assert list(connections.open_store().list("")) == []


def test_the_table_ends_with_the_verdict(connect, capsys, monkeypatch):
    monkeypatch.setattr(probes, "PAGE", 3)
    assert cli.main(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["check", "state", "required", "found"]
    assert lines[-1] == f"Fit for use: none of {len(lines) - 2} checks failed."


def test_the_verdict_names_what_failed_and_what_is_in_doubt():
    found = [
        probes.Diagnosis(check, state, False, "") for check, state in (("a", "ok"), ("b", "failed"), ("c", "warning"))
    ]
    assert doctor.verdict(found) == "Not fit for use: 1 of 3 checks failed: b. Warnings: c."
    assert doctor.verdict(found[::2]) == "Fit for use: none of 2 checks failed. Warnings: c."


def test_without_a_store_every_other_line_is_told(connect, monkeypatch, capsys):
    monkeypatch.delenv("AIRFLOW_CONN_STORE")
    assert cli.main(["doctor"]) == 1
    out = capsys.readouterr().out
    assert "Set AIRFLOW_CONN_STORE in the environment" in out
    assert f"Not fit for use: 1 of {len(OF_AN_INSTALLATION) + 1} checks failed: store answers." in out
    assert set(examined()) == OF_AN_INSTALLATION | {"store answers"}


@pytest.mark.door
@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"endpoint_url": "http://127.0.0.1:9", "timeout_s": 1}, "no answer from bucket"),
        ({"bucket": "no-such-bucket"}, "There is no bucket 'no-such-bucket'"),
        ({"bucket": ""}, "has no `bucket` in its extra"),
        ({"encryption": "rot13"}, "expected none, sse-s3 or sse-kms"),
    ],
)
def test_a_store_that_cannot_be_reached_is_a_line(connect, bucket, wrong, words):
    connect(replace(bucket, extra={**bucket.extra, **wrong}))
    found = examined()
    assert failed(found) == {"store answers"}
    assert words in found["store answers"].told
    assert set(found) == OF_AN_INSTALLATION | {"store answers"}


@pytest.mark.door
def test_wrong_credentials_are_a_line(connect, bucket):
    connect(replace(bucket, password="wrong"))
    assert "refused the credentials (SignatureDoesNotMatch)" in examined()["store answers"].told


@pytest.mark.door
def test_a_server_is_asked_more_than_a_folder(connect, bucket, monkeypatch):
    monkeypatch.setattr(probes, "PAGE", 3)
    connect(bucket)
    found = examined()
    assert {one.state for one in found.values()} == {"ok"}
    assert set(found) - OF_EVERY_STORE - OF_AN_INSTALLATION == {
        "encryption",
        "lost answer",
        "versioning",
        "wrong Content-MD5",
        "anonymous read",
        "anonymous write",
        "wrong secret",
    }
    assert "Not asked for" in found["encryption"].told
    assert list(connections.open_store().list("")) == []


@pytest.mark.door
@pytest.mark.parametrize("extra", [{"encryption": "sse-s3"}, {"encryption": "sse-kms", "kms_key_id": "key-1"}])
def test_a_server_that_does_not_encrypt_is_asked_nothing_else(connect, lying, extra):
    connect(replace(lying.settings, extra={**lying.settings.extra, **extra}))
    lying.server.fault = lambda _: silent_about("x-amz-server-side-encryption")
    found = examined()
    assert failed(found) == {"encryption"}
    assert "was written without the encryption that Connection `store` asks for" in found["encryption"].told
    assert set(found) == OF_AN_INSTALLATION | {"store answers", "encryption"}


@pytest.mark.door
def test_a_server_that_overwrites_is_not_fit_for_use(connect, lying, capsys, monkeypatch):
    monkeypatch.setattr(probes, "PAGE", 3)
    connect(lying.settings)
    lying.server.fault = without("If-None-Match")
    assert cli.main(["doctor"]) == 1
    verdict = capsys.readouterr().out.splitlines()[-1]
    assert verdict == (
        f"Not fit for use: 6 of {17 + len(OF_AN_INSTALLATION)} checks failed: put-if-absent, one winner of 8, "
        "lost answer, anonymous read, anonymous write, wrong secret."
    )


def test_keys_and_connections_that_are_missing_or_empty_are_lines(connect, monkeypatch):
    monkeypatch.setattr(probes, "PAGE", 3)
    for name in ("SIGNING", "WAREHOUSE"):
        monkeypatch.delenv(f"AIRFLOW_CONN_{name}")
    connect(replace(PSEUDONYMS, password=""))
    found = examined()
    assert failed(found) == {
        "signing key",
        *(f"Connection {kind} for {name}" for kind in ("warehouse", "pseudonyms") for name in specs.names()),
    }
    assert "Set AIRFLOW_CONN_WAREHOUSE" in found["Connection warehouse for flight_delays"].told
    assert "has no password, so anybody could find out" in found["Connection pseudonyms for flight_delays"].told
    assert SECRET not in str(found)


def test_a_spec_that_cannot_be_loaded_hides_no_other(connect, monkeypatch):
    monkeypatch.setattr(probes, "PAGE", 3)
    good, broken = specs.load("flight_delays"), SpecError("Spec 'bad' has 2 mistake(s):\n  - one\n  - two")
    allowing = replace(good, allowed=("sklearn.svm._classes:SVC", "desks.models:Blend"), privacy={})
    monkeypatch.setattr(specs, "load_all", lambda: {"bad": broken, "flight_delays": allowing})
    found = examined()
    assert failed(found) == {"spec bad"}
    assert found["spec bad"].told == "Spec 'bad' has 2 mistake(s): - one - two"
    assert (
        "besides sklearn.svm._classes:SVC, desks.models:Blend (`allowed` in" in found["artifacts of flight_delays"].told
    )
    assert "Connection pseudonyms for flight_delays" not in found


def test_a_clock_that_is_wrong_is_a_warning_and_no_failure(connect, monkeypatch):
    monkeypatch.setattr(probes, "PAGE", 3)
    found = {one.check: one.state for one in doctor.examine(lambda: intake.now_utc().replace(year=2013))}
    assert found.pop("clock") == probes.WARNING
    assert set(found.values()) == {probes.OK}
