"""A small model for tests: parcels, late or not, one interval a UTC day. Fast, and every row is known."""

import sqlite3
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from include.retraining import keys, records, snapshots
from include.retraining.records import Inputs
from include.retraining.signing import Keyring
from include.retraining.spec import ModelSpec, SqlSource, Windows
from include.retraining.store import Store
from include.retraining.windows import Interval

HERE = Path(__file__).parent
START = datetime(2024, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
ROWS = 60
FORM = {"as_of": None, "force_retrain": False, "refresh": False, "dry_run": False, "reason": ""}
PASSED = {"refused": {}, "outcome": "pass", "rows": ROWS, "suite_sha256": "a" * 64, "spec_sha256": "b" * 64}


def spec(**changes: Any) -> ModelSpec:
    """Return the spec of the parcels, with changes."""
    fields: dict[str, Any] = {
        "name": "parcels",
        "owner": "post office",
        "purpose": "Tell which parcels will be late.",
        "source": SqlSource("warehouse", HERE / "parcels.sql"),
        "suite": HERE / "parcels_suite.json",
        "time_column": "sent_at",
        "key_columns": ("parcel",),
        "numeric": ("weight", "distance"),
        "categorical": ("region", "carrier"),
        "observed": ("note",),
        "label": "late",
        "void_column": "void",
        "label_delay": DAY,
        "start": START,
        "privacy": {"note": "pseudonymise"},
        "slices": ("region",),
        "windows": Windows(10, 4, 3, 20, 0.8),
    }
    return ModelSpec(**{**fields, **changes})


def day(number: int) -> Interval:
    """Return one interval; the first is number 0."""
    return Interval(START + number * DAY, START + (number + 1) * DAY)


def rows(number: int = 0, count: int = ROWS, seed: int = 0) -> pd.DataFrame:
    """Return parcels of one day as the warehouse door gives them once all labels are known: heavy ones are late."""
    random = np.random.default_rng([seed, number])
    weight = random.normal(10, 3, count).round(2)
    late = (weight + random.normal(0, 1.5, count) > 10.5).astype("float64")
    minutes = pd.to_timedelta(np.sort(random.integers(0, 24 * 60, count)), unit="min")
    frame = pd.DataFrame(
        {
            "sent_at": (pd.Timestamp(day(number).start) + minutes).astype("datetime64[us, UTC]"),
            "parcel": [f"p{number:03d}-{place:04d}" for place in range(count)],
            "weight": weight,
            "distance": random.gamma(2, 40, count).round(1),
            "region": random.choice(["north", "south"], count),
            "carrier": random.choice(["bike", "van", "train"], count, p=[0.2, 0.4, 0.4]),
            "note": [f"to household {place % 7}" for place in range(count)],
            "late": late,
            "void": 0.0,
        }
    )
    frame.loc[frame.index % 11 == 3, "distance"] = np.nan
    return frame


LABELS = {"binary": "late", "multiclass": "arrival", "regression": "minutes"}


def task_spec(task: str, **changes: Any) -> ModelSpec:
    """Return the spec of the parcels for a task, with changes."""
    return spec(task=task, label=LABELS[task], **changes)


def task_rows(number: int = 0, count: int = ROWS, seed: int = 0) -> pd.DataFrame:
    """Return parcels of one day with a label of each task: heavy ones come late, by so many minutes."""
    frame, random = rows(number, count, seed), np.random.default_rng([seed, number, 1])
    minutes = (12 * (frame["weight"] - 10) + random.normal(0, 15, count)).round()
    classes = np.select([minutes < -15, minutes <= 15], ["early", "on time"], "late")
    return frame.assign(minutes=minutes, arrival=pd.Series(classes, frame.index, dtype="str"))


def load(path: Path, frames: Sequence[pd.DataFrame]) -> None:
    """Write days into a SQLite table; the outcome of a day is known a day after it ends."""
    table = pd.concat(frames, ignore_index=True)
    known = table["sent_at"].dt.floor("D") + pd.Timedelta(days=2)
    texts = {name: moments.dt.strftime("%Y-%m-%d %H:%M:%S.%f") for name, moments in
             (("sent_at", table["sent_at"]), ("known_at", known))}  # fmt: skip
    with sqlite3.connect(path) as connection:
        table.assign(**texts).to_sql("parcels", connection, index=False, if_exists="replace")
    connection.close()


def pin(
    store: Store,
    keyring: Keyring,
    model: ModelSpec,
    frames: Sequence[pd.DataFrame],
    *,
    base: int = 0,
    run: str = "manual__1",
    actor: str = "ann",
    **form: Any,
) -> Inputs:
    """Freeze one frame a day and pin a run on them: the last day is under test, the newest but it are held out."""
    held, last = model.windows.holdout_intervals, len(frames) - 1
    as_of, found = day(last).end, {"snapshots": {}, "labels": {}}
    for number, frame in enumerate(frames):
        span = keys.span(day(number))
        found["snapshots"][span] = asdict(snapshots.freeze_snapshot(store, keyring, model, day(number), as_of, frame))
        if number < last:
            labels = snapshots.freeze_labels(store, keyring, model, day(number), as_of, frame)
            found["labels"][span] = asdict(labels)
    spans = list(found["labels"])
    split = max(0, len(spans) - held)
    content = {
        "model": model.name,
        "run": run,
        "kind": "manual",
        "actor": actor,
        "form": {**FORM, **form},
        "as_of": keys.stamp(as_of),
        "interval": {"span": keys.span(day(last))},
        "window": {"training": spans[:split], "holdout": spans[split:]},
        "rows": len(frames[-1]),
        "base": base,
        "spec_sha256": model.digest(),
        "suite_sha256": "s" * 64,
        **found,
    }
    return records.write_inputs(store, keys.inputs(model.name, day(last), run), content)
