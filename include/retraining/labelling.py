"""Pure: what is known of each key, and which rows can be learned from. Part of what makes a version what it is."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from include.retraining.errors import DataError
from include.retraining.phrases import visible
from include.retraining.policies import BINARY, MULTICLASS, REGRESSION
from include.retraining.spec import ModelSpec

Labels = npt.NDArray[Any]
KNOWN, VOID, UNKNOWN = "known", "void", "unknown"
MINIMUM_ROWS = 30
"""An interval with fewer known labels is neither trained on nor scored."""
MOST_CLASSES = 100
"""A label with more values is a number, or a key."""
NAMED = 5


def label_frame(frame: pd.DataFrame, spec: ModelSpec) -> pd.DataFrame:
    """Return one row a key: its label or missing, and whether it is known, void or still unknown.

    Labels are 0.0 or 1.0 for a binary model, text for a multiclass one, and float64 for a regression.
    """
    labels = frame[[*spec.key_columns, spec.label]].copy()
    void = frame[spec.void_column] == 1 if spec.void_column else pd.Series(False, index=frame.index)
    labels["status"] = UNKNOWN
    labels.loc[void, "status"] = VOID
    labels.loc[frame[spec.label].notna() & ~void, "status"] = KNOWN
    labels.loc[void, spec.label] = float("nan")
    return labels


def completeness(labels: pd.DataFrame) -> float:
    """Return the share of keys whose label is known or void, 0 to 1; an empty interval is complete."""
    return float((labels["status"] != UNKNOWN).mean()) if len(labels) else 1.0


def known(labels: pd.DataFrame) -> int:
    """Return how many labels are known."""
    return int((labels["status"] == KNOWN).sum())


def finite(rows: pd.DataFrame, spec: ModelSpec) -> pd.DataFrame:
    """Return rows as models meet them: an infinite number, which a division by zero leaves, is a missing one.

    A suite's range says that it was there.
    """
    numbers = [name for name in spec.numeric if pd.api.types.is_float_dtype(rows[name])]
    infinite = [name for name in numbers if np.isinf(rows[name]).any()]
    return rows.assign(**{name: rows[name].replace([np.inf, -np.inf], np.nan) for name in infinite})


def labelled(rows: pd.DataFrame, labels: pd.DataFrame, spec: ModelSpec) -> pd.DataFrame:
    """Return the rows whose label is known, with it; an infinite feature counts as missing.

    Raises DataError if a key stands twice or a label is infinite.
    """
    key, known = list(spec.key_columns), labels[labels["status"] == KNOWN]
    doubled = int(rows.duplicated(key).sum()), int(known.duplicated(key).sum())
    if any(doubled):
        differ = int(known.drop_duplicates([*key, spec.label]).duplicated(key).sum())
        raise DataError(
            f"{doubled[0]} rows and {doubled[1]} labels of {spec.name} have the key ({', '.join(key)}) of another. "
            f"Mend the query, and expect a unique key in the suite. Of these labels {differ} contradict another."
        )
    if spec.task == REGRESSION:
        _finite(known, spec)
    return finite(rows, spec).merge(known[[*key, spec.label]], on=key, how="inner")


def labels_of(rows: pd.DataFrame, spec: ModelSpec) -> Labels:
    """Return the labels as training and scoring need them, shape (n_rows,): float64, or text for a multiclass model."""
    return rows[spec.label].to_numpy(dtype="object" if spec.task == MULTICLASS else "float64")


def check_labels(rows: pd.DataFrame, spec: ModelSpec) -> Labels:
    """Return the labels of training rows; raises DataError where there is nothing to learn from them."""
    return CHECKS[spec.task](rows, spec)


def _two(rows: pd.DataFrame, spec: ModelSpec) -> Labels:
    found = sorted(rows[spec.label].unique().tolist())
    if found != [0.0, 1.0]:
        raise DataError(
            f"Label {spec.label!r} takes the values {found} in {len(rows)} training rows; both 0 and 1 are needed. "
            "Lengthen the training window or mend the label."
        )
    return labels_of(rows, spec)


def _classes(rows: pd.DataFrame, spec: ModelSpec) -> Labels:
    found = rows[spec.label].unique().tolist()
    if other := sum(not isinstance(one, str) for one in found):
        raise DataError(
            f"Label {spec.label!r} takes {other} value(s) that are no text in {len(rows)} training rows; classes are "
            "text. Mend the query, or expect known classes in the suite."
        )
    if not 2 <= len(found) <= MOST_CLASSES:
        told = ", ".join(repr(visible(one)) for one in sorted(found)[:NAMED]) + (", …" if len(found) > NAMED else "")
        raise DataError(
            f"Label {spec.label!r} takes {len(found)} value(s) ({told}) in {len(rows)} training rows; 2 to "
            f"{MOST_CLASSES} classes are needed. Lengthen the training window, mend the label, or is it a regression?"
        )
    return labels_of(rows, spec)


def _numbers(rows: pd.DataFrame, spec: ModelSpec) -> Labels:
    values = _finite(rows, spec)
    if len(np.unique(values)) < 2:
        told = f"is {values[0]:g} in all" if len(values) else "has no value in"
        raise DataError(
            f"Label {spec.label!r} {told} {len(rows)} training rows: there is nothing to learn. Lengthen the training "
            "window or mend the label."
        )
    return values


def _finite(rows: pd.DataFrame, spec: ModelSpec) -> Labels:
    try:
        values = labels_of(rows, spec)
    except (ValueError, TypeError) as error:
        raise DataError(f"Label {spec.label!r} is not numeric: {error}. Mend the query or the label.") from None
    if wrong := int((~np.isfinite(values)).sum()):
        raise DataError(
            f"Label {spec.label!r} is infinite or missing in {wrong} of {len(rows)} rows that count as known. Mend the "
            "query; an expectation in the suite leaves out such an interval."
        )
    return values


CHECKS: dict[str, Callable[[pd.DataFrame, ModelSpec], Labels]] = {
    BINARY: _two,
    MULTICLASS: _classes,
    REGRESSION: _numbers,
}
