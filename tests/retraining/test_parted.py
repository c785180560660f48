"""Rows from a file, part by part: none is lost, doubled or changed, and what may stand twice is found."""

import numpy as np
import pandas as pd
import pytest

from include.retraining import parted
from include.retraining.parted import Parted
from tests.retraining import toy

FRAME = toy.rows(0)[list(toy.spec().stored)]


@pytest.fixture
def written(tmp_path):
    """Return what writes a frame into a file of row groups, to be read so many rows at once."""

    def write(frame: pd.DataFrame, rows_at_once: int, group: int = 25) -> Parted:
        path = tmp_path / "rows"
        frame.to_parquet(path, index=False, row_group_size=group)
        return Parted(path, rows_at_once)

    return write


@pytest.mark.parametrize("rows_at_once", [1, 24, 25, 26, 59, 60, 61])
def test_the_parts_are_the_rows_in_their_order(written, rows_at_once):
    rows = written(FRAME, rows_at_once)
    parts = list(rows.parts())
    pd.testing.assert_frame_equal(pd.concat(parts), FRAME)
    assert max(map(len, parts)) <= rows_at_once
    assert len(rows) == len(FRAME)


def test_only_the_columns_that_are_asked_for_are_read(written):
    rows = written(FRAME, 40)
    assert [list(part) for part in rows.parts(["weight", "gone"])] == [["weight"]] * 3, "row groups of 25, 25 and 10"
    pd.testing.assert_frame_equal(rows.whole(["weight", "note"]), FRAME[["weight", "note"]])


@pytest.mark.parametrize(
    ("columns", "wide", "expected"), [(1, 20, 50), (2, 20, 20), (5, 20, 10), (20, 20, 10), (1, 3, 10)]
)
def test_of_a_few_columns_more_rows_fit_than_of_all(written, columns, wide, expected):
    frame = pd.DataFrame(np.zeros((60, wide))).rename(columns=str)
    rows, few = written(frame, 10, group=60), list(map(str, range(columns)))
    assert rows.rows_of(few) == expected
    parts = list(rows.parts(few, rows.rows_of(few)))
    pd.testing.assert_frame_equal(pd.concat(parts), frame[few])
    assert max(map(len, parts)) == expected


FULLNESS = {
    "whole numbers": (pd.Series([1, 2, 3]), True),
    "texts": (pd.Series(["a", "b", "c"], dtype="str"), True),
    "a text is missing": (pd.Series(["a", None, "c"], dtype="str"), False),
    "the last moment is missing": (pd.Series(pd.to_datetime(["2024-01-01", "2024-01-02", None], utc=True)), False),
    "numbers that can be none": (pd.Series([1.0, 2.0, 3.0]), False),
    "not a number": (pd.Series([1.0, 2.0, np.nan]), False),
}


@pytest.mark.parametrize(("values", "is_full"), FULLNESS.values(), ids=FULLNESS)
def test_a_file_says_which_columns_miss_no_value(written, values, is_full):
    rows = written(pd.DataFrame({"a": [None, "x", None], "b.c": values}), 2, group=2)
    assert rows.is_full("b.c") == is_full
    assert not rows.is_full("a")


def test_a_file_without_statistics_says_nothing(tmp_path):
    frame = pd.DataFrame({"a": [1, 2, 3]})
    frame.to_parquet(tmp_path / "rows", write_statistics=False)
    assert not Parted(tmp_path / "rows", 2).is_full("a")


def test_no_row_still_has_columns_of_their_types(written):
    for frame in (FRAME, FRAME.head(0)):
        rows = written(frame, 40)
        assert rows.none().dtypes.equals(FRAME.dtypes)
        assert len(rows.none()) == 0


def test_a_part_of_missing_values_has_the_type_of_its_column(written):
    frame = pd.DataFrame({"n": [np.nan, np.nan, 1.0], "t": pd.Series([None, None, "a"], dtype="str")})
    assert {str(part.dtypes.to_dict()) for part in written(frame, 1).parts()} == {str(frame.dtypes.to_dict())}


def test_rows_that_stand_twice_are_found_with_their_places(written):
    frame = pd.DataFrame(
        {"a": [1.0, 0.0, np.nan, 2.0, -0.0, np.nan], "b": ["x", "y", "z", "x", "y", "z"], "c": range(6)}
    )
    found = parted.doubled(written(frame, 2), ["a", "b"])
    assert found.index.tolist() == [1, 2, 4, 5], "0 and -0 are equal, and so are missing values"
    assert list(found) == ["a", "b"]


def test_rows_that_stand_once_are_not_looked_at(written):
    assert parted.doubled(written(FRAME, 7), ["parcel"]).empty
    assert parted.doubled(written(FRAME.head(0), 7), ["parcel"]).empty


def test_hashes_are_found_among_others():
    known = np.array([2, 5, 9], dtype=np.uint64)
    found = np.array([0, 2, 4, 9, 10], dtype=np.uint64)
    assert parted.is_among(found, known).tolist() == [False, True, False, True, False]
    assert not parted.is_among(found, known[:0]).any()


def test_parts_are_written_as_one_file(tmp_path):
    parts = (FRAME.iloc[start : start + 25] for start in range(0, 60, 25))
    rows = parted.write(tmp_path / "rest", parts, 10)
    pd.testing.assert_frame_equal(pd.read_parquet(rows.path), FRAME)
