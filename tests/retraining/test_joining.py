"""Rows and labels are joined as training joins them, only faster, and refused where training refuses them."""

import numpy as np
import pandas as pd
import pytest

from include.retraining import joining, labelling
from include.retraining.errors import DataError
from tests.retraining import toy


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
@pytest.mark.parametrize("order", ["same", "other", "fewer"])
def test_joining_fast_is_joining(task, order):
    spec = toy.task_spec(task)
    frame = toy.task_rows(3).assign(weight=toy.rows(3)["weight"].where(toy.rows(3).index != 7, np.inf))
    frame.loc[frame.index % 5 == 1, spec.label] = None if task == "multiclass" else np.nan
    frame.loc[frame.index % 7 == 1, "void"] = 1.0
    labels = labelling.label_frame(frame, spec)
    labels = {"same": labels, "other": labels.iloc[::-1], "fewer": labels.iloc[5:]}[order].reset_index(drop=True)
    rows = frame[list(spec.stored)]
    pd.testing.assert_frame_equal(joining.labelled(rows, labels, spec), labelling.labelled(rows, labels, spec))


def test_joining_fast_refuses_what_joining_refuses():
    spec = toy.task_spec("regression")
    endless = toy.task_rows(3).assign(minutes=np.inf)
    twice = pd.concat([toy.task_rows(3)] * 2, ignore_index=True)
    for frame, told in ((endless, "is infinite or missing"), (twice, "of another")):
        with pytest.raises(DataError, match=told):
            joining.labelled(frame[list(spec.stored)], labelling.label_frame(frame, spec), spec)
