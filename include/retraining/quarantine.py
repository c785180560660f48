"""Sets aside, with the reason, the few rows that break critical expectations on single rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from include.retraining import gx_engine, parted
from include.retraining.expectations import CRITICAL, Suite
from include.retraining.parted import Parted, Rows

if TYPE_CHECKING:
    import pandas as pd

POSITION, REASON = "position", "reason"
"""What a quarantine adds to the columns of the rows: their number in the snapshot, and why they are there."""

REST = "rest"
"""The name of a file that holds what is kept of another."""


@dataclass(frozen=True)
class Split:
    """Rows apart: those that go on, and those that are set aside with a reason each."""

    kept: Rows
    aside: "pd.DataFrame"


def split(whole: Rows, suite: Suite, rows: Sequence[dict[str, Any]], ratio: float) -> Split | None:
    """Return rows without those that broke critical expectations, if those were few enough.

    Parameters
    ----------
    whole : DataFrame or Parted
        What is kept is of the same kind; a file is written beside the whole one.
    suite : Suite
        What was judged on the frame; all limits are known.
    rows : sequence of dict
        What was found, one per expectation and in their order.
    ratio : float
        The largest share of rows that may be set aside, 0 to below 1.

    Returns
    -------
    Split or None
        None if nothing critical failed, if something failed that is not about single rows, or for too many rows.
    """
    broken = [pair for pair in zip(suite.expectations, rows, strict=True) if _is_broken(pair[1])]
    if not broken or not all(row["unexpected_count"] for _, row in broken):
        return None
    if max(row["unexpected_count"] for _, row in broken) > ratio * len(whole):
        return None
    reasons = _reasons(whole, Suite(suite.name, tuple(one for one, _ in broken), suite.on), [row for _, row in broken])
    if not reasons or len(reasons) > ratio * len(whole):
        return None
    kept, aside = _apart(whole, sorted(reasons))
    aside[POSITION], aside[REASON] = sorted(reasons), [reasons[place] for place in sorted(reasons)]
    return Split(kept, aside)


def _apart(whole: Rows, places: list[int]) -> tuple[Rows, "pd.DataFrame"]:
    """Return all rows but those at some places, and these."""
    import pandas as pd

    if not isinstance(whole, Parted):
        counted = whole.reset_index(drop=True)
        return counted.drop(index=places).reset_index(drop=True), counted.iloc[places].reset_index(drop=True)
    kept = (part[~part.index.isin(places)] for part in whole.parts())
    rest = parted.write(whole.path.with_name(REST), kept, whole.rows_at_once)
    aside = pd.concat([part[part.index.isin(places)] for part in whole.parts()], ignore_index=True)
    return rest, aside


def _is_broken(row: dict[str, Any]) -> bool:
    return row["severity"] == CRITICAL and not row["success"]


def _reasons(whole: Rows, suite: Suite, rows: Sequence[dict[str, Any]]) -> dict[int, str]:
    """Return why each row has to go, by its position."""
    reasons: dict[int, list[str]] = {}
    for found, row in zip(gx_engine.unexpected_rows(whole, suite), rows, strict=True):
        for place in found:
            reasons.setdefault(place, []).append(f"{row['column']}: {row['limit']}" if row["column"] else row["limit"])
    return {place: "; ".join(told) for place, told in reasons.items()}
