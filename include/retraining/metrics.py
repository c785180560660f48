"""Door: gauges through Airflow's own stats, wherever those are sent (StatsD, OpenTelemetry); none by default."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from airflow.sdk.observability import stats

from include.retraining import keys


def send(model: str, found: dict[str, Any]) -> None:
    """Emit the gauges of one run, tagged with the model."""
    for name, value in gauges(found):
        stats.gauge(f"retraining.{name}", value, tags={"model": model})


def gauges(found: dict[str, Any]) -> Iterator[tuple[str, float]]:
    """Yield (name, value): what a dashboard needs of one run record; a number the run did not reach is left out."""
    validation, evaluation = found.get("validation", {}), found.get("evaluation", {})
    yield "failed", float(found["answer"] in {"blocked", "failed"})
    yield "retrain", float(found["answer"] == "retrain")
    yield "promoted", float(bool(found.get("promotion", {}).get("promoted")))
    if "rows" in validation:
        yield "rows", float(validation["rows"])
        yield "expectations_failed", float(len(validation["failed"]))
    if evaluation.get("newest_loss") is not None:
        yield evaluation.get("metric", "log_loss"), float(evaluation["newest_loss"])
    if evaluation.get("drift"):
        yield "features_shifted", float(len(evaluation["drift"]["shifted"]))
    if found.get("champion_from") and found.get("as_of"):
        yield "champion_age_days", _days(found["champion_from"], found["as_of"])


def _days(start: str, end: str) -> float:
    moments: list[datetime] = [keys.parse_stamp(text) for text in (start, end)]
    return (moments[1] - moments[0]).total_seconds() / 86400
