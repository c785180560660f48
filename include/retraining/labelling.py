"""Pure: what is known of each key, and which rows can be learned from. Part of what makes a version what it is."""

import pandas as pd

from include.retraining.errors import DataError
from include.retraining.spec import ModelSpec

KNOWN, VOID, UNKNOWN = "known", "void", "unknown"
MINIMUM_ROWS = 30
"""An interval with fewer known labels is neither trained on nor scored."""


def label_frame(frame: pd.DataFrame, spec: ModelSpec) -> pd.DataFrame:
    """Return one row a key: its label, 0.0 or 1.0 or missing, and whether it is known, void or still unknown."""
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


def labelled(rows: pd.DataFrame, labels: pd.DataFrame, spec: ModelSpec) -> pd.DataFrame:
    """Return the rows whose label is known, with it; raises DataError if a key stands twice."""
    key, known = list(spec.key_columns), labels[labels["status"] == KNOWN]
    doubled = int(rows.duplicated(key).sum()), int(known.duplicated(key).sum())
    if any(doubled):
        raise DataError(
            f"{doubled[0]} rows and {doubled[1]} labels of {spec.name} have the key ({', '.join(key)}) of another. "
            "Mend the query, and expect a unique key in the suite."
        )
    return rows.merge(known[[*key, spec.label]], on=key, how="inner")
