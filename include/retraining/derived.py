"""Pure: columns that no snapshot has but an expectation can be about: is a row new, and does a feature tell the label.

Great Expectations judges one table at a time and no row against another table, so what needs two becomes a column.
"""

import math
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from include.retraining import labelling
from include.retraining.default_expectations import NEW_ROW, TELLTALE
from include.retraining.parted import Hashes, Parted, Rows, is_among, parts_of
from include.retraining.policies import MULTICLASS, REGRESSION
from include.retraining.spec import ModelSpec

FEWEST = 20
"""So many labels of each class are needed: among fewer, a feature may tell them apart by chance."""
TELLING = 0.999
"""Share of pairs of labels (or of rows) that a feature orders (or names) rightly; 1 tells every label."""
ROWS_PER_VALUE = 10
"""A category that names single rows tells each label without meaning anything."""


def new_rows(rows: Rows, before: Rows, spec: ModelSpec) -> pd.DataFrame:
    """Return one column, shape (n_rows,): 1.0 where a row was not there the interval before, 0.0 where it was.

    A row is known by its keys and observed columns, which a query passes on as they are; only where there are none by
    its features. Time is left aside, and so is what is the same in all rows: a delivery that comes again comes under
    a new date.
    """
    told = _telling_apart(rows, before, (*spec.key_columns, *spec.observed), spec)
    told = told or _telling_apart(rows, before, spec.features, spec)
    if not told:
        return pd.DataFrame({NEW_ROW: np.ones(len(rows))})
    known = _joined([_hashes(part) for part in parts_of(before, told)])
    known.sort()
    found = [~is_among(_hashes(part), known) for part in parts_of(rows, told)]
    return pd.DataFrame({NEW_ROW: _joined(found).astype("float64")})


def _hashes(part: pd.DataFrame) -> Hashes:
    return pd.util.hash_pandas_object(part.astype("str"), index=False).to_numpy(dtype=np.uint64)


def _joined(arrays: list[Any]) -> Any:
    return np.concatenate(arrays) if arrays else np.empty(0, dtype=np.uint64)


def _telling_apart(rows: Rows, before: Rows, columns: Iterable[str], spec: ModelSpec) -> list[str]:
    there = [name for name in columns if name in rows.columns and name in before.columns and name != spec.time_column]
    return [name for name in there if _varies(part[name] for part in parts_of(rows, [name]))]


def _varies(parts: Iterable["pd.Series[Any]"]) -> bool:
    """Return whether a column holds two values, or one beside missing ones."""
    missing, seen = False, set()
    for part in parts:
        missing = missing or bool(part.isna().any())
        seen |= set(part.dropna().unique()[:2])
        if len(seen) > 1 or (seen and missing):
            return True
    return False


def telltales(rows: Rows, labels: Rows, spec: ModelSpec) -> pd.DataFrame:
    """Return one row a feature: its name where it alone tells the label of every row, else nothing.

    Of rows that are too many to be in memory at once it is looked for among evenly spread ones: what tells every label
    tells theirs.
    """
    if isinstance(rows, Parted):
        rows = _spread(rows)
    if isinstance(labels, Parted):
        labels = _labels_of(labels, rows[list(spec.key_columns)].drop_duplicates())
    known = labels[labels["status"] == labelling.KNOWN].drop_duplicates(list(spec.key_columns))
    joined = rows.merge(known[[*spec.key_columns, spec.label]], on=list(spec.key_columns), how="inner")
    named = set(_telling(joined, spec))
    return pd.DataFrame({TELLTALE: [name if name in named else None for name in spec.features]}, dtype="str")


def tells(values: pd.Series, labels: pd.Series, task: str, *, is_number: bool) -> bool:
    """Return whether a column by itself tells the label of every row, where there are enough labels to say so.

    Parameters
    ----------
    values, labels : Series, shape (n_rows,)
        A feature, and known labels as they are stored.
    task : str
        Says what the labels are.
    is_number : bool
        Whether values have an order.
    """
    return _is_enough(labels, task) and max(_shares(values, labels, task, is_number)) >= TELLING


def _spread(rows: Parted) -> pd.DataFrame:
    step = math.ceil(len(rows) / rows.rows_at_once)
    return pd.concat([part[part.index % step == 0] for part in rows.parts()], ignore_index=True)


def _labels_of(labels: Parted, keys: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([part.merge(keys, on=list(keys.columns)) for part in labels.parts()], ignore_index=True)


def _is_enough(labels: pd.Series, task: str) -> bool:
    if task == REGRESSION:
        return len(labels) >= 2 * FEWEST and labels.nunique() > 2
    return int((labels.value_counts() >= FEWEST).sum()) >= 2


def _telling(joined: pd.DataFrame, spec: ModelSpec) -> Iterator[str]:
    for name in spec.features:
        values, labels = joined[name], joined[spec.label]
        is_number = name in spec.numeric and pd.api.types.is_numeric_dtype(values)
        if tells(values, labels, spec.task, is_number=is_number):
            yield name


def _shares(values: pd.Series, labels: pd.Series, task: str, is_number: bool) -> list[float]:
    """Return how well values tell the labels of a task, each way from 0 to 1."""
    if task == REGRESSION:
        return [_ranked(values, labels) if is_number else 0.0]
    if task == MULTICLASS or not is_number:
        told = [_named(values, labels)]
    else:
        told = [_ordered(values, (labels == labels.max()).to_numpy())]
    return told + ([] if task == MULTICLASS else [_ordered(values.isna(), (labels == labels.max()).to_numpy())])


def _ranked(values: pd.Series, labels: pd.Series) -> float:
    """Return how far two columns have the same order, or the opposite one: Spearman's coefficient, 0 to 1."""
    here = values.notna()
    if int(here.sum()) < 2 * FEWEST or values[here].nunique() < 3:
        return 0.0
    return abs(float(values[here].rank().corr(labels[here].rank())))


def _ordered(values: pd.Series, labels: np.ndarray) -> float:
    """Return the share of pairs of unlike labels that values order alike, or all unlike, 0.5 to 1.

    The area under the ROC curve by ranks (Hanley and McNeil, Radiology 143, 1982), ties counted as half.
    """
    here = values.notna().to_numpy()
    ranks, late = values[here].rank().to_numpy(), labels[here]
    many = int(late.sum())
    if min(many, len(late) - many) < FEWEST:
        return 0.5
    area = (ranks[late].sum() - many * (many + 1) / 2) / (many * (len(late) - many))
    return float(max(area, 1 - area))


def _named(values: pd.Series, labels: pd.Series) -> float:
    """Return the share of rows whose label is their value's commonest one, where values are not names of rows."""
    counts = pd.crosstab(values.astype("str").to_numpy(), labels.to_numpy())
    if len(counts) > len(labels) / ROWS_PER_VALUE:
        return 0.0
    return float(counts.max(axis=1).sum() / len(labels))
