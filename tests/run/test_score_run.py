"""Whole runs of score_flight_delays and retrain_flight_delays through Airflow: what was predicted is judged later."""

import io
import json
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from include.retraining import assets, connections, keys, predictions
from include.retraining.verifying import verify
from include.retraining.windows import Interval
from tests.conftest import ROOT
from tests.run.conftest import MODEL, ZONE, World, load_dag, schema_of

pytestmark = [pytest.mark.run, pytest.mark.filterwarnings("ignore")]
SCHEMAS = ROOT / "include" / "retraining" / "schemas"


def interval(day: str) -> Interval:
    """Return one New York day."""
    start = datetime.fromisoformat(day).replace(tzinfo=ZONE)
    return keys.parse_span(keys.span(Interval(start, start + timedelta(days=1))))


def score(day: str, **form: object) -> tuple[str, dict[str, str], str]:
    """Run the scoring DAG for one New York day, and return its state, its tasks' states and its id."""
    run = load_dag(name="score").test(logical_date=interval(day).end, run_conf=form)
    return str(run.state), {one.task_id: str(one.state) for one in run.get_task_instances()}, run.run_id


def predicted(world: World, day: str) -> predictions.Predicted | None:
    """Return what the champion predicted for a day."""
    registry = world.registry
    return predictions.find(registry.store, registry.keyring, MODEL, interval(day), registry.head().version)


def line(sections: dict, day: str) -> dict:
    """Return what an evaluation says of a day."""
    return next(one for one in sections["evaluation"]["intervals"] if one["span"] == keys.span(interval(day)))


def test_without_a_champion_a_run_succeeds_and_scores_nothing(world: World) -> None:
    state, tasks, _ = score("2013-01-27")
    assert (state, tasks) == ("success", {"choose_interval": "success", "score_interval": "skipped"})
    assert world.objects() == {}


def test_the_champion_scores_the_next_interval_before_any_label_is_known(world: World) -> None:
    assert world.trigger("2013-01-27").sections["report"]["answer"] == "retrain"
    state, tasks, run_id = score("2013-01-28", reason="the first day")
    assert (state, tasks) == ("success", {"choose_interval": "success", "score_interval": "success"})
    found = predicted(world, "2013-01-28")
    assert (found.rows, found.unusable, found.correction_sha256) == (923, 0, None)
    rows = predictions.read(connections.open_store(), found)
    assert list(rows) == ["carrier", "flight", "origin", "dest", "scheduled_at", "prediction"]
    assert rows["prediction"].between(0, 1).all()
    assert not any(key.startswith(f"{MODEL}/labels/{keys.span(interval('2013-01-28'))}") for key in world.objects())
    assert events(run_id) == [
        {"key": found.key, "interval": keys.span(interval("2013-01-28")), "version": found.version, "rows": 923}
    ]


def events(run_id: str) -> list[dict]:
    """Return what a run attached to the asset of predictions."""
    import sqlalchemy
    from airflow.models.asset import AssetEvent, AssetModel
    from airflow.utils.session import create_session

    wanted = (
        sqlalchemy.select(AssetEvent.extra)
        .join(AssetModel, AssetModel.id == AssetEvent.asset_id)
        .where(AssetEvent.source_run_id == run_id, AssetModel.name == assets.predictions(MODEL).name)
    )
    with create_session() as session:
        return list(session.scalars(wanted))


def test_a_second_run_of_the_interval_finds_what_is_there(world: World) -> None:
    before = world.objects()
    assert score("2013-01-28")[0] == "success"
    assert world.objects() == before


def test_a_run_that_is_wrongly_asked_fails_with_one_message_and_writes_nothing(world: World, messages: Path) -> None:
    before = world.objects()
    half = "20130128T050000Z--20130128T170000Z"
    state, tasks, _ = score("2013-01-28", interval=half)
    assert (state, tasks["choose_interval"]) == ("failed", "failed")
    (message,) = messages.read_text().splitlines()
    assert message.startswith(f"error: {MODEL}: an interval was not scored. {half} is no interval of {MODEL}")
    assert world.objects() == before


def test_an_interval_that_is_named_is_scored_though_another_is_newest(world: World) -> None:
    assert score("2013-02-05", interval=keys.span(interval("2013-01-29")))[0] == "success"
    assert predicted(world, "2013-01-29").rows > 800
    assert predicted(world, "2013-02-05") is None


def test_when_labels_arrive_what_was_predicted_is_judged(world: World) -> None:
    world.change(
        "UPDATE departures SET arr_delay = -60 WHERE rowid IN (SELECT rowid FROM departures WHERE arr_delay > 15 "
        "AND scheduled_at >= '2013-01-28 05:00' AND scheduled_at < '2013-01-29 05:00' LIMIT 40)"
    )
    told = world.trigger("2013-01-29")
    assert told.state == "success"
    judged = line(told.sections, "2013-01-28")
    assert (judged["source"], judged["again"], "missing" in judged) == ("served", False, False)
    assert 0 < judged["calibration_error"] < 0.5
    assert sum(one["rows"] for one in judged["slices"]["origin"].values()) == judged["rows"]
    assert "1 of 1 judged by what was predicted then." in told.sections["evaluation"]["sentence"]
    rows = predictions.read(connections.open_store(), predicted(world, "2013-01-28"))
    labels = pd.read_parquet(io.BytesIO(connections.open_store().get(told_labels(world, "2013-01-28"))))
    both = rows.merge(labels[labels["status"] == "known"], on=list(rows.columns[:-1]))
    assert judged["brier"] == pytest.approx(((both["prediction"] - both["late"]) ** 2).mean())


def told_labels(world: World, day: str) -> str:
    """Return the key of the labels of a day; there is one object."""
    (key,) = [key for key in world.objects() if key.startswith(keys.labels(MODEL, interval(day))) and "json" not in key]
    return key


def test_corrected_labels_are_judged_again_by_the_same_predictions(world: World) -> None:
    first = line(world.told[-1].sections, "2013-01-28")
    world.change(
        "UPDATE departures SET arr_delay = 60 WHERE arr_delay = -60 "
        "AND scheduled_at >= '2013-01-28 05:00' AND scheduled_at < '2013-01-29 05:00'"
    )
    told = world.trigger("2013-01-30", refresh=True)
    assert told.state == "success"
    judged = line(told.sections, "2013-01-28")
    assert (judged["source"], judged["again"]) == ("served", True)
    assert judged["labels"] != first["labels"]
    assert judged["log_loss"] > first["log_loss"], "forty flights were late after all"
    assert line(told.sections, "2013-01-29")["source"] == "served"
    assert "1 evaluated again, since labels were corrected or came late." in told.sections["evaluation"]["sentence"]


def test_an_interval_that_nobody_scored_is_scored_again(world: World) -> None:
    told = world.trigger("2013-01-31")
    assert line(told.sections, "2013-01-30")["source"] == "re-scored"


def test_everything_in_the_store_verifies_and_meets_its_schema(world: World) -> None:
    import jsonschema

    assert verify(world.registry).findings == ()
    for key, data in world.objects().items():
        if key.endswith(".json"):
            jsonschema.validate(json.loads(data), json.loads((SCHEMAS / f"{schema_of(key)}.json").read_text()))
