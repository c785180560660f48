"""A small model whose runs take seconds: tell which parcels will be late, one interval a UTC day."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from include.retraining.spec import ModelSpec, SqlSource, Windows

HERE = Path(__file__).parent

SPEC = ModelSpec(
    name="parcels",
    owner="post office",
    purpose="Tell which parcels will be late.",
    source=SqlSource("warehouse", HERE / "parcels.sql"),
    suite=HERE / "parcels_suite.json",
    start=datetime(2024, 1, 1, tzinfo=UTC),
    time_column="sent_at",
    key_columns=("parcel",),
    numeric=("weight", "distance"),
    categorical=("region", "carrier"),
    observed=("note",),
    label="late",
    void_column="void",
    label_delay=timedelta(days=1),
    privacy={"note": "pseudonymise"},
    slices=("region",),
    windows=Windows(
        training_intervals=4,
        minimum_training_intervals=4,
        holdout_intervals=3,
        minimum_rows=20,
        older_every=0,  # each era makes the one before it wrong
    ),
)
