"""Pure: rows and labels of an interval become what can be learned from, or why not; as in a run, only faster."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from include.retraining import labelling
from include.retraining.policies import REGRESSION
from include.retraining.spec import ModelSpec


@dataclass(frozen=True)
class Part:
    """What is known of one interval."""

    count: int
    """Rows of the snapshot."""
    rows: pd.DataFrame | None = None
    """With known labels; None where they are too few."""
    why: str = ""


def part(rows: pd.DataFrame, labels: pd.DataFrame, spec: ModelSpec, *, is_unique: bool = False) -> Part:
    """Return the labelled rows of one interval, if they are as many as a run would ask for."""
    complete, known = labelling.completeness(labels), labelling.known(labels)
    if complete < spec.windows.minimum_completeness:
        return Part(len(rows), why=f"{100 * complete:.0f} % of its labels are known or void")
    if known < labelling.MINIMUM_ROWS:
        return Part(len(rows), why=f"{known} labels are known, {labelling.MINIMUM_ROWS} are needed")
    return Part(len(rows), labelled(rows, labels, spec, is_unique=is_unique))


def labelled(rows: pd.DataFrame, labels: pd.DataFrame, spec: ModelSpec, *, is_unique: bool = False) -> pd.DataFrame:
    """Return what ``labelling.labelled`` does, in a fraction of the time where both frames have the same keys in order.

    ``is_unique`` says that no key stands twice, which is then not looked for. Raises DataError as it does.
    """
    key, known = list(spec.key_columns), labels["status"] == labelling.KNOWN
    is_plain = rows[key].equals(labels[key]) and (is_unique or not rows.duplicated(key).any())
    if is_plain and spec.task == REGRESSION:
        is_plain = bool(np.isfinite(pd.to_numeric(labels.loc[known, spec.label], errors="coerce")).all())
    if not is_plain:
        return labelling.labelled(rows, labels, spec)
    return labelling.finite(rows, spec).assign(**{spec.label: labels[spec.label]})[known].reset_index(drop=True)
