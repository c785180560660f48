"""Histories for decisions: the flights of 2013, labels a day or a week late, days in order or shuffled."""

import tempfile
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pandas as pd

from demo import flights
from include.retraining import histories, specs, warehouse
from include.retraining.connections import Settings
from include.retraining.policies import Candidate
from include.retraining.refits import default_folder, private
from include.retraining.replayed import History, shuffled
from include.retraining.spec import ModelSpec

CANDIDATES = {"lr": "logistic_regression", "hgb": "hist_gradient_boosting"}
TELLING = timedelta(days=30)
"""So long after an interval every label of it is known."""


@dataclass(frozen=True)
class Stream:
    """One family of models on one history."""

    model: str
    delay: int
    """Intervals until labels are known."""
    shuffle: int | None = None
    """Seed of a random order of days: then nothing drifts."""
    days: int | None = None
    """So many first days; None: the whole year."""

    @property
    def name(self) -> str:
        """Names the line of a table."""
        told = f"{self.model}, delay {self.delay}"
        return told if self.shuffle is None else f"{told}, shuffled {self.shuffle}"

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """The family alone: what is compared is when to fit."""
        return (Candidate(CANDIDATES[self.model]),)

    def history(self) -> History:
        """Return the labelled days, in order or not."""
        spec = delayed(self.delay)
        found = histories.from_folder(_folder(spec, self.delay), spec, histories.Range())
        if self.days is not None:
            kept = found.intervals[: self.days]
            rows = {one: held for one, held in found.rows.items() if one in kept}
            found = replace(found, intervals=kept, rows=rows)
        return found if self.shuffle is None else shuffled(found, self.shuffle)


def delayed(delay: int) -> ModelSpec:
    """Return the spec of the flights whose labels come so many days late."""
    return replace(specs.load("flight_delays"), label_delay=timedelta(days=delay))


def _folder(spec: ModelSpec, delay: int) -> Path:
    """Return a folder with one Parquet file a day, made once; features know late labels only as they come."""
    folder = private(default_folder().parent / "bench" / f"flights-{delay}")
    wanted = spec.timetable.intervals(spec.end or spec.start)
    if len(list(folder.glob("*.parquet"))) == len(wanted):
        return folder
    with tempfile.TemporaryDirectory(prefix="retraining-bench-") as name:
        path = Path(name) / "warehouse.sqlite"
        rows = flights.departures()
        rows["outcome_known_at"] += pd.Timedelta(days=delay - 1)
        flights.load(f"sqlite:///{path}", rows)
        settings = Settings("warehouse", "sqlite", host=str(path))
        for number, one in enumerate(wanted):
            frame = warehouse.read(settings, spec, one, one.end + TELLING)
            told = [*spec.stored, spec.label, *([spec.void_column] if spec.void_column else [])]
            known = frame[list(dict.fromkeys(told))]
            known.to_parquet(folder / f"{number:03d}.parquet", index=False)
    return folder
