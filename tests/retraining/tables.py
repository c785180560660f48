"""Tables of all kinds for `init`: orders that come back or not, and columns that should never be features."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from include.retraining.looks import Look, look

START = pd.Timestamp("2024-01-01", tz="UTC")


def orders(days: int = 30, daily: int = 100, seed: int = 0) -> pd.DataFrame:
    """Return orders as a shop exports them: cheap ones come back, and what comes back is known a day later."""
    random, count = np.random.default_rng(seed), days * daily
    moments = START + pd.to_timedelta(np.sort(random.uniform(0, days * 24 * 60 - 1, count)), unit="min").floor("s")
    amount = random.normal(50, 15, count).round(2)
    returned = (amount + random.normal(0, 8, count) < 45).astype("int64")
    return pd.DataFrame(
        {
            "order_id": [f"o{place:06d}" for place in range(count)],
            "created_at": moments.strftime("%Y-%m-%d %H:%M:%S"),
            "amount": amount,
            "region": random.choice(["north", "south", "west"], count),
            "pieces": random.integers(1, 9, count),
            "email": [f"buyer{place % 997}@example.org" for place in range(count)],
            "returned": returned,
        }
    )


def looks(columns: Mapping[str, Any], **types: str) -> list[Look]:
    """Return the looks of columns of plain values."""
    frame = pd.DataFrame(columns)
    return look(frame, {name: types.get(name, "text") for name in frame.columns})


def one(name: str, values: Any, sql_type: str = "text") -> Look:
    """Return the look of one column."""
    (found,) = looks({name: values}, **{name: sql_type})
    return found


def doubled(frame: pd.DataFrame) -> Any:
    """Return what counts keys that stand twice, as the warehouse door does."""
    return lambda key: int((frame.groupby(list(key), dropna=False).size() > 1).sum())
