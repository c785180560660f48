"""Whole runs over rows with planted personal values: not one byte that a run writes holds any of them in clear."""

import io
import json
import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from include.models import flight_delays
from include.retraining import cli
from include.retraining.policies import DROP, PSEUDONYMISE, Windows
from include.retraining.privacy import pseudonym
from include.retraining.spec import SqlSource
from tests.conftest import HOME, SECRET
from tests.run.conftest import Told, World

pytestmark = [pytest.mark.run, pytest.mark.long, pytest.mark.filterwarnings("ignore")]
MAILS = [f"planted.person.{number:02d}@example.org" for number in range(25)]
TAILS = [f"N-PLANTED-TAIL-{number:02d}" for number in range(25)]
PLANTED = [*MAILS, *TAILS]
LAST = "scheduled_at >= '2013-01-27 05:00' AND scheduled_at < '2013-01-28 05:00'"
BROKEN = 5
"""Rows of the last day that break a critical expectation: a few are set aside."""


@pytest.fixture(scope="module")
def patch() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("personal")


@pytest.fixture(scope="module")
def personal(world: World, patch: pytest.MonkeyPatch, folder: Path) -> World:
    """Plant the values: one column is dropped, one is a pseudonymised feature; expectations fail on both kinds."""
    world.change("ALTER TABLE departures ADD COLUMN email TEXT")
    for number, (mail, tail) in enumerate(zip(MAILS, TAILS, strict=True)):
        world.change("UPDATE departures SET email = ?, tailnum = ? WHERE rowid % 25 = ?", mail, tail, number)
    world.change(
        f"UPDATE departures SET distance = 99999 WHERE rowid IN (SELECT rowid FROM departures WHERE {LAST} "
        f"LIMIT {BROKEN})"
    )
    (folder / "messages").touch()
    spec = replace(
        flight_delays.SPEC,
        source=with_mail(flight_delays.SPEC.source, folder),
        suite=with_complaints(flight_delays.SPEC.suite, folder),
        categorical=(*flight_delays.SPEC.categorical, "tailnum"),
        observed=("departed", "email"),
        privacy={"tailnum": PSEUDONYMISE, "email": DROP},
        windows=Windows(training_intervals=6, minimum_training_intervals=4, holdout_intervals=2),
        notifier="tests.run.notify.FileNotifier",
        notifier_arguments={"path": str(folder / "messages")},
    )
    patch.setattr(flight_delays, "SPEC", spec)
    return world


def with_mail(source: SqlSource, folder: Path) -> SqlSource:
    query = folder / "personal.sql"
    query.write_text(source.query.read_text().replace("d.tailnum,", "d.tailnum, d.email,"))
    return replace(source, query=query)


def with_complaints(suite: Path, folder: Path) -> Path:
    """Add expectations that fail on the pseudonymised column, and on single rows."""
    content = json.loads(suite.read_text())
    content["expectations"] = [
        one for one in content["expectations"] if "email" not in str(one) and "column_set" not in str(one)
    ]
    on_tail = {"column": "tailnum"}
    content["expectations"] += [
        {"type": kind, "kwargs": {**on_tail, **more}, "severity": "warning", "meta": {"notes": "It fails."}}
        for kind, more in (
            ("expect_column_values_to_match_regex", {"regex": "^nothing$"}),
            ("expect_column_values_to_be_in_set", {"value_set": ["nothing"]}),
            ("expect_column_distinct_values_to_be_in_set", {"value_set": ["nothing"]}),
            ("expect_column_most_common_value_to_be_in_set", {"value_set": ["nothing"]}),
            ("expect_column_values_to_be_unique", {}),
        )
    ]
    content["expectations"].append(
        {
            "type": "expect_column_values_to_be_between",
            "kwargs": {"column": "distance", "min_value": 0, "max_value": 9000},
            "severity": "critical",
            "meta": {"notes": "Nobody flies so far."},
        }
    )
    path = folder / "personal_suite.json"
    path.write_text(json.dumps(content))
    return path


@pytest.fixture(scope="module")
def told(personal: World) -> Told:
    """Run a day whose few bad rows are set aside, then one that is blocked, and one whose query fails."""
    told = personal.trigger("2013-01-27")
    personal.change("UPDATE departures SET distance = 99999 WHERE scheduled_at >= '2013-01-28 05:00'")
    personal.trigger("2013-01-28")
    query = flight_delays.SPEC.source.query
    kept = query.read_text()
    query.write_text(kept.replace("d.email,", "json(d.email) AS email,"))
    personal.trigger("2013-01-29")
    query.write_text(kept)
    return told


def found_in(data: bytes) -> list[str]:
    return [value for value in PLANTED if value.encode() in data]


def readable(key: str, data: bytes) -> bytes:
    """Return bytes with what Parquet packs, unpacked."""
    return data + (pd.read_parquet(io.BytesIO(data)).to_csv().encode() if key.endswith(".parquet") else b"")


def test_the_runs_meet_what_they_are_meant_to(personal: World, told: Told) -> None:
    quarantined, blocked, failed = personal.told
    assert quarantined.state == "success"
    assert quarantined.sections["decision"]["answer"] == "retrain"
    assert quarantined.sections["challenger"]["version"] in personal.registry.versions()
    assert any(key.startswith("flight_delays/quarantine/") for key in personal.objects())
    assert blocked.sections["report"]["answer"] == "blocked"
    assert failed.sections["report"]["failed"] == ["pull_snapshot"]
    with closing(sqlite3.connect(personal.warehouse)) as connection:
        (count,) = connection.execute(
            "SELECT count(DISTINCT email) + count(DISTINCT tailnum) FROM departures"
        ).fetchone()
    assert (count, len(found_in(personal.warehouse.read_bytes()))) == (len(PLANTED), len(PLANTED))


def test_no_object_in_the_store_holds_a_planted_value(personal: World, told: Told) -> None:
    objects = {key: readable(key, data) for key, data in personal.objects().items()}
    assert {key: found for key, data in objects.items() if (found := found_in(data))} == {}
    hidden = [pseudonym(tail, SECRET).encode() for tail in TAILS]
    rooms = {key.split("/")[1] for key, data in objects.items() if any(name in data for name in hidden)}
    assert {"snapshots", "versions"} <= rooms, "the search would find what is there"


def test_neither_logs_nor_xcom_nor_anything_of_airflow_holds_one(personal: World, told: Told) -> None:
    files = [path for path in HOME.rglob("*") if path.is_file()]
    assert HOME / "airflow.db" in files
    assert {path.name: found for path in files if (found := found_in(path.read_bytes()))} == {}
    with closing(sqlite3.connect(HOME / "airflow.db")) as connection:
        (count,) = connection.execute("SELECT count(*) FROM xcom").fetchone()
    assert count > 0


def test_no_message_holds_one(personal: World, told: Told, folder: Path) -> None:
    data = (folder / "messages").read_bytes()
    assert len(data.splitlines()) == 3
    assert found_in(data) == []


def test_no_command_prints_one(personal: World, told: Told, capsys: pytest.CaptureFixture[str]) -> None:
    (span,) = {key.split("/")[2] for key in personal.objects() if key.startswith("flight_delays/quarantine/")}
    commands = [["versions"], ["promotions"], ["verify"], ["quarantine"], ["suite", "check"], ["suite", "propose"]]
    for command in commands:
        cli.main([*command, "flight_delays"])
    cli.main(["quarantine", "flight_delays", "--interval", span])
    printed = "".join(capsys.readouterr())
    assert "hidden" in printed
    assert len(printed) > 5_000
    assert found_in(printed.encode()) == []


def test_nothing_is_logged_of_one(
    personal: World, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """One more run, with every logger at its most talkative."""
    with caplog.at_level(logging.DEBUG):
        assert personal.trigger("2013-01-27", force_retrain=True, dry_run=True).state == "success"
    logged = "\n".join([caplog.text, *capfd.readouterr()])
    assert len(logged) > 1_000
    assert found_in(logged.encode()) == []
