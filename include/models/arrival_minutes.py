"""Predict at scheduled departure how many minutes late a flight from New York arrives: a regression."""

from datetime import timedelta
from pathlib import Path

from include.retraining.spec import ModelSpec, SqlSource, local_midnight

HERE = Path(__file__).parent
TIMEZONE = "America/New_York"

SPEC = ModelSpec(
    name="arrival_minutes",
    owner="flight operations",
    purpose="Tell passengers when they arrive: the expected minutes behind schedule, negative if ahead.",
    source=SqlSource(
        connection="warehouse",
        query=HERE / "arrival_minutes.sql",
        lookback=timedelta(days=6, hours=12),  # seven days of outcomes, whatever the clocks do
    ),
    suite=HERE / "arrival_minutes_suite.json",
    schedule="0 0 * * *",
    timezone=TIMEZONE,
    task="regression",
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
    label="minutes",
    void_column="void",
    label_delay=timedelta(days=1),
    privacy={"tailnum": "pseudonymise"},
    slices=("origin",),
)
