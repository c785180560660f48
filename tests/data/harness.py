"""A deployment with nine weeks of real flights behind it, and what it says of a day that a kind of bad data befell.

Everything is the product's own: the warehouse is loaded as the demo loads it, rows are pulled by ``intake``, frozen in
a folder, and judged by ``screening`` under the shipped spec and suite. Only the rows (or the query) are harmed.
"""

import io
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

from demo import flights
from include.retraining import (
    binding,
    connections,
    derived,
    drift,
    expectations,
    intake,
    keys,
    labelling,
    screening,
    signing,
    snapshots,
    specs,
    training,
    warehouse,
)
from include.retraining.binding import Earlier
from include.retraining.default_expectations import complete
from include.retraining.errors import RetrainingError
from include.retraining.expectations import LABELS
from include.retraining.folder import open_folder
from include.retraining.intake import Trigger
from include.retraining.records import Inputs
from include.retraining.registry import Registry
from include.retraining.spec import ModelSpec
from include.retraining.validation import About, Validation, validate
from include.retraining.windows import Interval
from tests.conftest import SECRET, connection_env
from tests.data.kinds import BOTH, ERROR, FAIL, LEFT_OUT, NOTHING, OPEN, PASS, WARN, YESTERDAY, Kind, Parts

MODEL = "flight_delays"
TODAY = date(2013, 5, 28)
"""A Tuesday with rain, after a holiday: on it and on the day before everything holds."""
DAY = timedelta(days=1)
BEFORE = 45 * DAY
"""How much of the warehouse a day needs: its window, and the outcomes that the window's first shares are made of."""
FEW = 10 * DAY
"""How much of it one pull needs when all the rest is frozen already."""
WINDOW = 32
"""Labelled intervals of a run."""
COSTLY = 1.05
"""So many times the loss of the same day unharmed is clearly more."""
KEY = connections.Settings("signing", "generic", login="key-1", password=SECRET)


@dataclass(frozen=True)
class Found:
    """What the product said of the days that a kind touched."""

    outcome: str
    """What became of the day; if nothing did, of the day before: one of the outcomes in ``kinds``."""
    findings: tuple[str, ...] = ()
    """What did not hold, sorted; on labels (those of the day before) after ``labels:``."""
    sentence: str = ""
    """What the user reads."""
    refused: tuple[str, ...] = ()
    """Older days that are left out, with the reason."""
    incomplete: tuple[str, ...] = ()
    """Older days whose labels have not come."""
    aside: int = 0
    """Rows set aside."""
    shifted: tuple[str, ...] = ()
    """Features that drift names."""
    is_costly: bool = False
    """Whether a model that was trained before loses clearly more on the harmed day; asked where nothing was found."""


def interval_of(day: date) -> Interval:
    """Return a New York day."""
    zone = ZoneInfo(flights.NEW_YORK)
    start, end = (datetime.combine(one, time(), zone).astimezone(UTC) for one in (day, day + DAY))
    return Interval(start, end)


@contextmanager
def connected(store: Path, warehouse: Path) -> Iterator[None]:
    """Let the product's Connections name a folder and a warehouse."""
    settings = {
        "store": connections.Settings("store", "fs", extra={"path": str(store)}),
        "warehouse": connections.Settings("warehouse", "sqlite", host=str(warehouse)),
        "signing": KEY,
        "pseudonyms": KEY,
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.fsync", lambda _: None)  # nothing here has to survive a power cut
        for name, found in settings.items():
            patch.setenv(f"AIRFLOW_CONN_{name.upper()}", connection_env(found))
        yield


@dataclass
class World:
    """A store that knows everything up to a day, and the departures that its warehouse is made of."""

    folder: Path
    departures: pd.DataFrame
    today: date = TODAY

    @cached_property
    def spec(self) -> ModelSpec:
        """The spec as it is shipped, but for a shorter memory: four of each weekday and 28 intervals are enough."""
        shipped = specs.load(MODEL)
        return replace(shipped, windows=replace(shipped.windows, training_intervals=25, older_every=0))

    @classmethod
    def begun(cls, folder: Path) -> "World":
        """Return a world whose store knows everything up to yesterday."""
        world = cls(folder, flights.departures())
        world.begin()
        return world

    def begin(self) -> None:
        """Run everything up to the day before yesterday, then yesterday in a copy of that store."""
        warehouse = self.folder / "whole.sqlite"
        flights.load(f"sqlite:///{warehouse}", self._slice(BEFORE))
        for name, day in (("learned", self.today - 2 * DAY), ("yesterday", self.today - DAY)):
            if name == "yesterday":
                copy(self.folder / "learned", self.folder / name)
            with connected(self.folder / name, warehouse):
                run(self.spec, day)

    def meet(self, kind: Kind) -> Found:
        """Pull and judge the day after a kind of bad data befell it; the store is left as it was."""
        store = self._store("learned" if kind.on == BOTH else "yesterday")
        before = files(store)
        place = Path(tempfile.mkdtemp(dir=self.folder))
        try:
            warehouse, spec = self._harmed(kind, place)
            with connected(store, warehouse):
                return self._told(spec, kind, store, before)
        finally:
            shutil.rmtree(place)
            for path in files(store) - before:
                path.unlink()

    def _store(self, begun: str) -> Path:
        """Return a copy of a store for this process alone."""
        mine = self.folder / f"{begun}-{os.getpid()}"
        if not mine.exists():
            copy(self.folder / begun, mine)
        return mine

    def _harmed(self, kind: Kind, place: Path) -> tuple[Path, ModelSpec]:
        warehouse = place / "warehouse.sqlite"
        rows = self._slice(FEW)
        yesterday, today = (self._is_on(rows, one) for one in (self.today - DAY, self.today))
        flights.load(f"sqlite:///{warehouse}", kind.rows(Parts(rows, yesterday, today)))
        kind.alter(warehouse)
        text = self.spec.source.query.read_text()
        query = place / self.spec.source.query.name
        query.write_text(kind.query(text))
        return warehouse, replace(self.spec, source=replace(self.spec.source, query=query))

    def _told(self, spec: ModelSpec, kind: Kind, store: Path, before: set[Path]) -> Found:
        try:
            if kind.on == BOTH:
                run(spec, self.today - DAY)
            inputs, section = run(spec, self.today)
        except RetrainingError as error:
            return Found(ERROR, (type(error).__name__,), str(error))
        found = self._judged(inputs, section, store, before)
        is_asked = found.outcome == PASS and not found.findings and kind is not NOTHING
        return replace(found, is_costly=self.loss(spec, kind) > COSTLY * self.usual(kind)) if is_asked else found

    def _judged(self, inputs: Inputs, section: dict[str, Any], store: Path, before: set[Path]) -> Found:
        made = [path for path in files(store) - before if path.name == "result.json"]
        found = [signing.unseal(path.read_bytes(), path.name) for path in made]
        findings = sorted(finding for result in found for finding in self._findings(result))
        labels = [result["sentence"] for result in found if result["on"] == LABELS and not is_sound(result)]
        sentence = [*section["refused"].values(), *labels, section["sentence"]][0]
        incomplete = tuple(inputs.content["incomplete"])
        aside = sum(result.get("quarantined", {}).get("rows", 0) for result in found)
        refused = tuple(section["refused"])
        return Found(
            outcome(section, bool(incomplete), not all(map(is_sound, found))),
            tuple(findings),
            sentence,
            refused,
            incomplete,
            aside,
            self._shifted(inputs, section),
        )

    def _findings(self, result: dict[str, Any]) -> Iterator[str]:
        is_today = result["interval"]["start"] == interval_of(self.today).start.isoformat()
        opening = "labels: " if result["on"] == LABELS else "" if is_today else "the day before: "
        yield from (f"{opening}{name(row)}" for row in result["expectations"] if not row["success"])
        if "quarantined" in result:
            aside = pd.read_parquet(io.BytesIO(connections.open_store().get(result["quarantined"]["key"])))
            reasons = {one for told in aside["reason"] for one in told.split("; ")}
            yield from (f"{opening}set aside: {reason}" for reason in reasons)

    def _shifted(self, inputs: Inputs, section: dict[str, Any]) -> tuple[str, ...]:
        """Return which features drift names; it is asked of a day that validation has let pass."""
        if section["outcome"] == FAIL:
            return ()
        rows = snapshots.read(connections.open_store(), inputs.snapshot(inputs.interval))
        return tuple(drift.report(self.baseline, rows, [])["shifted"])

    @cached_property
    def baseline(self) -> dict[str, Any]:
        """What a champion would keep of the days before, to measure drift by."""
        store, keyring = open_folder(self.folder / "yesterday"), signing.Keyring("key-1", {"key-1": SECRET})
        end = interval_of(self.today).start
        days = [interval_of(self.today - number * DAY) for number in range(WINDOW, 1, -1)]
        found = [snapshots.newest(store, keyring, keys.snapshots(MODEL, one), end) for one in days]
        return drift.sketch(snapshots.read_many(store, [one for one in found if one]), self.spec)

    def loss(self, spec: ModelSpec, kind: Kind) -> float:
        """Return the loss on the day that a kind harms, once its labels are known."""
        interval = interval_of(self.today - DAY if kind.on in {YESTERDAY, BOTH} else self.today)
        rows = warehouse.read(connections.settings("warehouse"), spec, interval, interval.end + DAY)
        known = rows[rows["late"].notna()]
        return float(training.score(self.model, known, spec)["log_loss"])

    def usual(self, kind: Kind) -> float:
        """Return the loss on the same day as it was."""
        with connected(self.folder / "yesterday", self.folder / "whole.sqlite"):
            return self.loss(self.spec, kind)

    @cached_property
    def model(self) -> Any:
        """The simplest candidate, fitted on the days before."""
        settings = connections.Settings("warehouse", "sqlite", host=str(self.folder / "whole.sqlite"))
        days = [interval_of(self.today - number * DAY) for number in range(WINDOW, 1, -1)]
        rows = pd.concat([warehouse.read(settings, self.spec, one, one.end + DAY) for one in days])
        return training.fit(self.spec.candidates[0], rows[rows["late"].notna()], self.spec)

    def _slice(self, back: timedelta) -> pd.DataFrame:
        """Return the departures from some time before the day until two days after it."""
        start, end = interval_of(self.today - back).start, interval_of(self.today + DAY).end
        moments = self.departures["scheduled_at"]
        return self.departures[(moments >= start) & (moments < end)].reset_index(drop=True)

    @staticmethod
    def _is_on(rows: pd.DataFrame, day: date) -> pd.Series:
        interval = interval_of(day)
        return (rows["scheduled_at"] >= interval.start) & (rows["scheduled_at"] < interval.end)


def run(spec: ModelSpec, day: date) -> tuple[Inputs, dict[str, Any]]:
    """Pull a day and judge it, as the first two tasks of its run do."""
    interval = interval_of(day)
    trigger = Trigger(f"scheduled__{day}", "scheduled", interval, {})
    inputs = intake.pull(spec, trigger, datetime(2014, 1, 1, 12, tzinfo=UTC))
    registry = Registry(connections.open_store(), connections.open_keyring(), spec.name)
    return inputs, screening.screen(registry, spec, inputs)


def files(store: Path) -> set[Path]:
    """Return every file of a store."""
    return {path for path in store.rglob("*") if path.is_file()}


def outcome(section: dict[str, Any], is_open: bool, is_noted: bool) -> str:
    """Return what became of a day, or of the labels of the day before where the day itself is sound."""
    if section["outcome"] != PASS:
        return str(section["outcome"])
    if section["refused"]:
        return LEFT_OUT
    return OPEN if is_open else WARN if is_noted else PASS


def is_sound(result: dict[str, Any]) -> bool:
    """Return whether everything held on all rows."""
    return bool(result["outcome"] == PASS)


def year(folder: Path) -> Iterator[tuple[date, Validation, Validation]]:
    """Yield what the shipped suite says of each day of 2013."""
    path = folder / "warehouse.sqlite"
    flights.load(f"sqlite:///{path}", flights.departures())
    settings = connections.Settings("warehouse", "sqlite", host=str(path))
    yield from replay(settings, [date(2013, 1, 1) + number * DAY for number in range(365)])


def replay(settings: connections.Settings, days: Iterable[date]) -> Iterator[tuple[date, Validation, Validation]]:
    """Yield what the shipped suite says of the rows and of the labels of real days, in order, as runs would say it."""
    spec = specs.load(MODEL)
    suite, before = expectations.load(spec.suite), pd.DataFrame()
    halves = [complete(half(suite), spec) for half in (expectations.for_snapshot, expectations.for_labels)]
    past: tuple[list[Earlier], list[Earlier]] = ([], [])
    for day in days:
        interval = interval_of(day)
        rows = warehouse.read(settings, spec, interval, interval.end)[list(spec.stored)]
        labels = labelling.label_frame(warehouse.read(settings, spec, interval, interval_of(day + DAY).end), spec)
        new = derived.new_rows(rows, before, spec) if len(before) else None
        told = (new, derived.telltales(rows, labels, spec))
        about = [About(MODEL, interval, "a" * 64, frozenset({"tailnum"}), spec.timezone, tuple(one)) for one in past]
        found = [
            validate(frame, *one)
            for frame, one in zip((rows, labels), zip(halves, about, told, strict=True), strict=True)
        ]
        for one, result in zip(past, found, strict=True):
            one.append(binding.earlier(interval, result.result))
        before = rows
        yield day, *found


def name(row: dict[str, Any]) -> str:
    """Return an expectation as a kind names it: ``critical values_to_be_in_set (origin)``."""
    kind = row["type"].removeprefix("expect_").removeprefix("column_")
    source = "default " if row["source"] == "default" else ""
    return f"{row['severity']}: {source}{kind}" + (f" ({row['column']})" if row["column"] else "")


def copy(old: Path, new: Path) -> None:
    """Copy a store by hard links: no object is ever written twice in place."""
    shutil.copytree(old, new, copy_function=os.link)
