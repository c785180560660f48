"""Predict at scheduled departure whether a flight from New York arrives early, on time or late: three classes."""

from datetime import timedelta
from pathlib import Path

from include.retraining.spec import ModelSpec, SqlSource, local_midnight

HERE = Path(__file__).parent
TIMEZONE = "America/New_York"

SPEC = ModelSpec(
    name="delay_class",
    owner="flight operations",
    purpose="Plan gates: the chances that a flight arrives early, on time or late, by more than 15 minutes.",
    source=SqlSource(
        connection="warehouse",
        query=HERE / "delay_class.sql",
        lookback=timedelta(days=6, hours=12),  # seven days of outcomes, whatever the clocks do
    ),
    suite=HERE / "delay_class_suite.json",
    schedule="0 0 * * *",
    timezone=TIMEZONE,
    task="multiclass",
    start=local_midnight("2013-01-01", TIMEZONE),
    end=local_midnight("2014-01-01", TIMEZONE),
    time_column="scheduled_at",
    key_columns=("carrier", "flight", "origin", "dest", "scheduled_at"),
    numeric=(
        "distance",
        "sched_minute",
        "plane_age",
        "temp",
        "dewp",
        "humid",
        "wind_speed",
        "precip",
        "pressure",
        "visib",
        "origin_late_share",
        "carrier_late_share",
    ),
    categorical=("carrier", "origin", "dest", "weekday"),
    observed=("tailnum", "departed"),
    label="arrival",
    void_column="void",
    label_delay=timedelta(days=1),
    privacy={"tailnum": "pseudonymise"},
    slices=("origin",),
)
