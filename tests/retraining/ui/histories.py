"""Weeks of real days, validated by the real suite and published as the product publishes them."""

import itertools
import statistics
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from include.retraining import expectations, keys, signing
from include.retraining.expectations import Suite
from include.retraining.store import Store
from include.retraining.validation import About, Validation, validate
from include.retraining.windows import Interval
from tests.conftest import ROOT

MODEL = "flight_delays"
ZONE = "America/New_York"
SUITE = expectations.for_snapshot(expectations.load(ROOT / "include" / "models" / "flight_delays_suite.json"))
VOLUME = "expect_table_row_count_to_be_between"
TOLERANCE = 0.3


def snapshot_rows(departures: pd.DataFrame) -> pd.DataFrame:
    """Return departures with the columns that the query adds, the shares among them made up."""
    left = departures.drop(columns=["plane_year", "arr_delay", "outcome_known_at"])
    departed = left.pop("departed_at").notna().astype(float)
    shares = {"plane_age": 10.0, "origin_late_share": 0.2, "carrier_late_share": 0.2}
    return left.assign(**shares, departed=departed, weekday=left["weekday"].astype(str))


def days(first: str, count: int) -> list[Interval]:
    """Return New York days, those of 23 and 25 hours too."""
    bounds = pd.date_range(first, periods=count + 1, freq="D", tz=ZONE).tz_convert("UTC").to_pydatetime()
    return [Interval(start, end) for start, end in itertools.pairwise(bounds)]


@dataclass
class History:
    """Results day by day, each with the numbers that trends are drawn of."""

    store: Store
    counts: dict[str, list[int]] = field(default_factory=dict)

    def publish(self, interval: Interval, frame: pd.DataFrame, number: int) -> Validation:
        """Validate a day and publish its page and its result."""
        suite, relative = self.suite_of(interval, len(frame))
        digest = f"{number:064x}"[::-1]
        found = validate(frame, suite, About(MODEL, interval, digest, frozenset({"tailnum"}), ZONE))
        rows = [told(raw, row) for raw, row in zip(suite.expectations, found.result["expectations"], strict=True)]
        rows[-1] |= {"source": "default", **relative}
        result = {**found.result, "expectations": rows}
        page = keys.data_docs_page(MODEL, interval, digest, SUITE.sha256)
        self.store.put(page, found.html.encode())
        self.store.put(keys.validation(MODEL, interval, digest, SUITE.sha256), signing.seal(result))
        return Validation(result, found.html)

    def suite_of(self, interval: Interval, count: int) -> tuple[Suite, dict[str, Any]]:
        """Return the suite with a limit on the volume that follows earlier days of the same weekday."""
        seen = self.counts.setdefault(f"{pd.Timestamp(interval.start).tz_convert(ZONE):%A}", [])
        middle, is_judged = statistics.median([*seen, count] if len(seen) < 3 else seen), len(seen) >= 3
        limits = {"min_value": round(middle * (1 - TOLERANCE)), "max_value": round(middle * (1 + TOLERANCE))}
        seen.append(count)
        notes = "Within 30 % of the median of earlier intervals of the same weekday."
        relative = {"type": VOLUME, "kwargs": limits, "severity": "warning", "notes": notes, "on": "snapshot"}
        words = {} if is_judged else {"judged": False, "low": None, "high": None}
        return Suite(SUITE.name, (*SUITE.expectations, relative), "snapshot"), words


def told(raw: dict[str, Any], row: dict[str, Any]) -> dict[str, Any]:
    """Return a row of a result with what trends are drawn of; what the row itself says counts."""
    kwargs, number = raw["kwargs"], row["unexpected_ratio"]
    low, high = (None, round(1 - kwargs.get("mostly", 1), 6)) if number is not None else (None, None)
    if number is None:
        observed = row["observed"].replace(",", "")
        number = float(observed) if observed.replace(".", "").isdigit() else None
        low, high = (kwargs.get("min_value"), kwargs.get("max_value")) if number is not None else (None, None)
    return {"source": "suite", "number": number, "low": low, "high": high, "judged": True, **row}


def fill(store: Store, departures: pd.DataFrame, first: str, count: int) -> None:
    """Publish some days in their order; on the last one every airport is spelt otherwise."""
    rows, history = snapshot_rows(departures), History(store)
    for number, interval in enumerate(days(first, count)):
        frame = rows[(rows["scheduled_at"] >= interval.start) & (rows["scheduled_at"] < interval.end)]
        history.publish(interval, frame.assign(origin="New York") if number == count - 1 else frame, number)
