"""Pure: baseline sketches, distances and the calibrated drift report.

A champion keeps a small sketch of the rows it was trained on; the current interval is compared with that sketch
alone, so cost never grows with history. No row-level p-value occurs: rows of one interval are not independent. The
limit of each effect size is what the reference intervals themselves reached, and an alarm needs two intervals in a row.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from include.retraining.spec import ModelSpec

FORMAT_VERSION = 1
BINS = 50
MINIMUM_INTERVALS = 7
MINIMUM_ROWS = 30
FLOOR, NULL_FLOOR = 0.02, 0.01
"""Effect sizes that nobody would act on: Kolmogorov-Smirnov D or total variation, and share of missing values."""
NULLS = " missing"
Floats = npt.NDArray[np.float64]


def sketch(intervals: list[pd.DataFrame], spec: ModelSpec) -> dict[str, Any]:
    """Return the baseline of a version: distributions of its training rows and how far its own intervals strayed.

    Parameters
    ----------
    intervals : list of pd.DataFrame
        Training rows, one frame per reference interval.
    spec : ModelSpec
        Names the numeric and categorical features.
    """
    rows = pd.concat(intervals, ignore_index=True)
    features = {name: _numeric_sketch(rows[name]) for name in spec.numeric}
    features |= {name: _categorical_sketch(rows[name]) for name in spec.categorical}
    own = pd.DataFrame([effects(features, frame) for frame in intervals if len(frame) >= MINIMUM_ROWS])
    floors = pd.Series({name: NULL_FLOOR if name.endswith(NULLS) else FLOOR for name in own.columns})
    scales = own.median().clip(lower=floors)
    highest = float((own / scales).max(axis=1).max())
    limits = {str(name): max(1.0, highest) * float(scale) for name, scale in scales.items()}
    return {"format_version": FORMAT_VERSION, "intervals": len(own), "features": features, "limits": limits}


def effects(features: Mapping[str, Mapping[str, Any]], frame: pd.DataFrame) -> dict[str, float]:
    """Return per feature how far a frame lies from a sketch, 0 to 1, and the same for its missing share.

    Numeric features by the largest distance of distribution functions (Kolmogorov 1933), categorical ones by total
    variation.
    """
    found: dict[str, float] = {}
    for name, baseline in features.items():
        values = frame[name]
        found[name] = _numeric(baseline, values) if "edges" in baseline else _categorical(baseline, values)
        found[name + NULLS] = abs(float(values.isna().mean()) - float(baseline["null_share"]))
    return found


def report(baseline: Mapping[str, Any], frame: pd.DataFrame, previous: list[str]) -> dict[str, Any]:
    """Return the drift of one interval: an effect size and its calibrated limit per feature, and an answer in words.

    Parameters
    ----------
    baseline : mapping
        What ``sketch`` made of the champion's training rows.
    frame : pd.DataFrame
        The interval under test; no label is needed.
    previous : list of str
        Features beyond their limit in the interval before: only those can raise an alarm now.
    """
    if len(frame) < MINIMUM_ROWS or baseline["intervals"] < MINIMUM_INTERVALS:
        found = f"{len(frame)} rows against {baseline['intervals']} reference intervals"
        sentence = f"Not tested: {found} (at least {MINIMUM_ROWS} and {MINIMUM_INTERVALS} are needed)."
        return {"answer": "insufficient data", "shifted": [], "alarms": [], "features": [], "sentence": sentence}
    sizes, limits = effects(baseline["features"], frame), baseline["limits"]
    features = [{"name": name, "effect": sizes[name], "limit": limits[name]} for name in sizes]
    shifted = sorted(name for name, size in sizes.items() if size > limits[name])
    alarms = sorted(set(shifted) & set(previous))
    answer = "alarm" if alarms else "shifted" if shifted else "stable"
    sentence = _sentence(shifted, alarms)
    return {"answer": answer, "shifted": shifted, "alarms": alarms, "features": features, "sentence": sentence}


def _sentence(shifted: list[str], alarms: list[str]) -> str:
    if alarms:
        return f"Alarm: {', '.join(alarms)} beyond the calibrated limit twice in a row."
    if shifted:
        return f"Shifted today: {', '.join(shifted)}; an alarm needs two intervals in a row."
    return "Stable."


def _numeric_sketch(values: pd.Series) -> dict[str, Any]:
    known = values.dropna().to_numpy(dtype="float64")
    null_share = float(values.isna().mean()) if len(values) else 0.0
    if not len(known):
        return {"edges": [], "below": [], "null_share": null_share}
    edges = np.unique(np.quantile(known, np.linspace(0, 1, BINS + 1)))
    return {"edges": edges.tolist(), "below": _below(edges, known).tolist(), "null_share": null_share}


def _categorical_sketch(values: pd.Series) -> dict[str, Any]:
    shares = values.dropna().astype("str").value_counts(normalize=True).sort_index()
    return {"shares": {str(k): float(v) for k, v in shares.items()}, "null_share": float(values.isna().mean())}


def _below(edges: Floats, known: Floats) -> Floats:
    """Return the share of values at or below each edge."""
    shares: Floats = np.searchsorted(np.sort(known), edges, side="right") / len(known)
    return shares


def _numeric(baseline: Mapping[str, Any], values: pd.Series) -> float:
    known = values.dropna().to_numpy(dtype="float64")
    if not len(known) or not baseline["edges"]:
        return 0.0  # a feature that is gone shows in its missing share
    distance = np.abs(_below(np.asarray(baseline["edges"]), known) - np.asarray(baseline["below"]))
    outside = float((known < baseline["edges"][0]).mean())  # below every edge that the reference had
    return max(float(distance.max()), outside)


def _categorical(baseline: Mapping[str, Any], values: pd.Series) -> float:
    known = values.dropna()
    if not len(known) or not baseline["shares"]:
        return 0.0
    current = known.astype("str").value_counts(normalize=True)
    return float(current.sub(pd.Series(baseline["shares"]), fill_value=0.0).abs().sum() / 2)
