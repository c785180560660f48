"""Sketches: counts that add up, distances worked by hand, and what chance alone shows."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.retraining import parted, signing, sketches

NAN = float("nan")
NUMBERS = [0.0, 1.0, 2.0, 3.0]
WORDS = ["a", "a", "b", "c"]


def numbers(values: list[float]) -> dict[str, object]:
    return sketches.of_numbers(np.array(values, dtype="float64"))


def of_numbers(reference: list[float], current: list[float]) -> tuple[float, float]:
    """Return the distance of two samples, and of their missing shares."""
    shape = numbers(reference)
    counts = [sketches.count_numbers(shape, np.array(one, dtype="float64")) for one in (reference, current)]
    return round(sketches.distance(shape, *counts), 9), sketches.missing_distance(*counts)


def of_words(reference: list[object], current: list[object]) -> tuple[float, float]:
    shape = sketches.of_categories(pd.Series(reference))
    counts = [sketches.count_categories(shape, pd.Series(one))[0] for one in (reference, current)]
    return round(sketches.distance(shape, *counts), 9), sketches.missing_distance(*counts)


BY_HAND = {
    "the same": (NUMBERS, (0.0, 0.0)),
    "one of four moved across": ([0.0, 0.0, 2.0, 3.0], (0.25, 0.0)),
    "all above": ([9.0, 9.0], (1.0, 0.0)),
    "all below": ([-9.0, -9.0], (1.0, 0.0)),
    "half below": ([-9.0, 3.0], (0.5, 0.0)),
    "a hair below": ([np.nextafter(0.0, -1), 1.0, 2.0, 3.0], (0.25, 0.0)),
    "half missing": ([*NUMBERS, NAN, NAN, NAN, NAN], (0.0, 0.5)),
    "all missing": ([NAN, NAN], (0.0, 1.0)),
    "infinite on both sides": ([-np.inf, 1.0, 2.0, np.inf], (0.25, 0.0)),
    "nothing at all": ([], (0.0, 0.0)),
}


@pytest.mark.parametrize(("values", "expected"), BY_HAND.values(), ids=BY_HAND)
def test_numbers_are_as_far_apart_as_their_distribution_functions(values, expected):
    assert of_numbers(NUMBERS, values) == expected


BY_WORDS = {
    "the same": (["c", "b", "a", "a"], (0.0, 0.0)),
    "one of four changed": (["a", "b", "b", "c"], (0.25, 0.0)),
    "a new category": (["a", "a", "b", "d"], (0.25, 0.0)),
    "nothing in common": (["x", "y"], (1.0, 0.0)),
    "half missing": ([*WORDS, None, None, None, None], (0.0, 0.5)),
    "all missing": ([None, None], (0.0, 1.0)),
}


@pytest.mark.parametrize(("values", "expected"), BY_WORDS.values(), ids=BY_WORDS)
def test_categories_are_as_far_apart_as_their_total_variation(values, expected):
    assert of_words(WORDS, values) == expected


@pytest.mark.parametrize(
    "values",
    [
        pd.Series([1.0, 1.0, 0.0, None]),
        pd.Series(["1.0", "1.0", "0.0", None]),
        pd.Series(["1.0", "1.0", "0.0", None], dtype="category"),
        pd.Series(["1.0", 1.0, 0.0, None], dtype="object"),
    ],
    ids=["numbers", "text", "categories that pandas knows", "a mixture"],
)
def test_categories_are_told_by_their_text_whatever_their_type(values):
    assert of_words(["1.0", "1.0", "0.0", None], values.tolist()) == (0.0, 0.0)
    assert sketches.of_categories(values) == {"levels": ["0.0", "1.0"]}


def test_a_category_that_pandas_knows_and_no_row_has_is_none():
    assert sketches.of_categories(pd.Series(["a"], dtype=pd.CategoricalDtype(["a", "b"]))) == {"levels": ["a"]}


@pytest.mark.parametrize("values", [[5.0, 5.0, 5.0], [NAN, NAN], [], [np.inf, NAN]])
def test_degenerate_numbers_have_a_shape_all_the_same(values):
    assert of_numbers(values, values) == (0.0, 0.0)
    assert json.loads(signing.canonical(numbers(values))) == numbers(values)


def test_a_constant_that_moved_lies_as_far_as_can_be():
    assert of_numbers([5.0, 5.0], [6.0, 6.0]) == of_numbers([5.0, 5.0], [4.0, 4.0]) == (1.0, 0.0)


def test_only_the_commonest_categories_have_a_name_and_ties_are_broken_by_the_alphabet(monkeypatch):
    monkeypatch.setattr(sketches, "LEVELS", 2)
    shape = sketches.of_categories(pd.Series(["d", "c", "b", "a", "d", "c", "d", "b"]))
    assert shape == {"levels": ["b", "d"]}
    counts, others = sketches.count_categories(shape, pd.Series(["d", "c", "c", "z", None]))
    assert counts.tolist() == [0.0, 1.0, 3.0, 1.0]
    assert others == {"c": 2, "z": 1}


def test_no_more_unnamed_categories_are_remembered_than_asked(monkeypatch):
    monkeypatch.setattr(sketches, "UNSEEN", 2)
    _, others = sketches.count_categories({"levels": []}, pd.Series(["x", "z", "z", "y", "w"]))
    assert others == {"z": 2, "w": 1}


FRAMES = st.lists(
    st.tuples(st.one_of(st.none(), st.floats(-5, 5), st.just(np.inf)), st.sampled_from(["a", "b", "z", None])),
    max_size=30,
)
SHAPES = {"number": numbers(NUMBERS), "word": sketches.of_categories(pd.Series(WORDS))}


def frame(rows: list[tuple[float | None, str | None]]) -> pd.DataFrame:
    columns = list(zip(*rows, strict=True)) or [(), ()]
    return pd.DataFrame(
        {"number": pd.Series(columns[0], dtype="float64"), "word": pd.Series(columns[1], dtype="object")}
    )


@given(FRAMES, st.integers(0, 30), st.randoms(use_true_random=False))
def test_parts_in_any_order_count_as_the_whole(rows, split, random):
    whole = sketches.tally(SHAPES, [frame(rows)])
    random.shuffle(rows)
    parts = sketches.tally(SHAPES, [frame(rows[:split]), frame(rows[split:])])
    assert parts.rows == whole.rows == len(rows)
    assert parts.unseen == whole.unseen
    for name in SHAPES:
        assert parts.counts[name].tolist() == whole.counts[name].tolist()
        assert whole.counts[name].sum() == len(rows)


def test_a_file_read_in_parts_counts_as_the_frame(tmp_path):
    rows = frame([(float(place % 7), "abz"[place % 3]) for place in range(1000)]).astype({"word": "str"})
    found = parted.write(tmp_path / "rows.parquet", iter([rows]), rows_at_once=64)
    by_parts, whole = sketches.tally(SHAPES, found.parts(list(SHAPES))), sketches.tally(SHAPES, [rows])
    assert {name: one.tolist() for name, one in by_parts.counts.items()} == {
        name: one.tolist() for name, one in whole.counts.items()
    }
    assert by_parts.unseen["word"] == {"z": 333}


def test_more_rows_than_are_counted_at_once_are_counted_all(monkeypatch):
    monkeypatch.setattr(sketches, "ROWS_AT_ONCE", 3)
    found = sketches.count_numbers(numbers(NUMBERS), np.array([0.0, NAN, 1.0, 9.0, NAN, 2.0, 3.0]))
    assert (found.sum(), found[-1]) == (7.0, 2.0)


def test_a_column_of_numbers_is_not_copied():
    values = pd.Series([1.0, 2.0])
    assert np.shares_memory(sketches.numbers_of(values), values.to_numpy())


class TestChances:
    chances = np.array([[0.5, 0.5], [0.9, 0.1]])

    def test_classes_are_as_far_apart_as_the_total_variation_of_their_means(self):
        shape = sketches.of_chances(self.chances)
        counts = [sketches.count_chances(one) for one in (self.chances, self.chances[:1])]
        assert sketches.distance(shape, *counts) == pytest.approx(0.2)
        assert sketches.missing_distance(*counts) == 0.0

    def test_what_chance_shows_follows_how_much_the_probabilities_spread(self):
        """Half of two classes' mean absolute deviations, each 0.2 sqrt(2 / pi / 4)."""
        shape = sketches.of_chances(self.chances)
        assert shape["spread"] == [0.2, 0.2]
        found = sketches.expected(shape, sketches.count_chances(self.chances), 4)
        assert found == pytest.approx(0.2 * np.sqrt(2 / np.pi / 4))


class TestChance:
    @pytest.mark.parametrize(
        ("shares", "rows", "mean"),
        [
            ([0.5, 0.5], 1, 0.5),  # one row is one of them
            ([0.5, 0.5], 2, 0.25),  # two alike half of the time
            ([0.25, 0.75], 1, 0.375),  # 0.25 x 0.75 + 0.75 x 0.25
            ([1.0, 0.0], 5, 0.0),
            ([0.2] * 5, 1, 0.8),
        ],
    )
    def test_total_variation_worked_by_hand(self, shares, rows, mean):
        assert sketches.expected_variation(np.array(shares), rows) == pytest.approx(mean)

    @pytest.mark.parametrize("rows", [7, 400])
    def test_it_is_what_independent_rows_show(self, rows):
        random, shares = np.random.default_rng(0), np.array([0.6, 0.25, 0.1, 0.05])
        drawn = random.multinomial(rows, shares, size=20_000) / rows
        found = np.abs(drawn - shares).sum(axis=1).mean() / 2
        assert sketches.expected_variation(shares, rows) == pytest.approx(found, rel=0.02)

    def test_of_numbers_it_is_at_least_what_independent_rows_show(self):
        """A little more, since distances are looked at between cells only."""
        random = np.random.default_rng(0)
        shape = sketches.of_numbers(random.normal(size=100_000))
        reference = sketches.count_numbers(shape, random.normal(size=200_000))
        drawn = [sketches.count_numbers(shape, random.normal(size=200)) for _ in range(500)]
        found = np.mean([sketches.distance(shape, reference, one) for one in drawn])
        assert found <= sketches.expected(shape, reference, 200) <= 1.2 * found

    def test_numbers_of_two_values_are_two_categories(self):
        shape = numbers([0.0, 1.0])
        counts = sketches.count_numbers(shape, np.array([0.0, 1.0]))
        assert sketches.expected(shape, counts, 1) == 0.5

    def test_a_constant_and_what_has_no_value_show_nothing(self):
        for values in ([5.0, 5.0], [NAN], []):
            shape = numbers(values)
            counts = sketches.count_numbers(shape, np.array(values))
            assert sketches.expected(shape, counts, 10) == sketches.expected_missing(counts, 10) == 0.0

    @given(st.integers(1, 10**6), st.floats(0, 1))
    def test_it_is_a_share_and_a_hundredfold_of_rows_makes_it_no_larger(self, rows, share):
        few, many = (sketches.expected_variation(np.array([share, 1 - share]), count) for count in (rows, 100 * rows))
        assert 0 <= many <= few + 1e-9 <= 1

    def test_of_missing_values_it_is_that_of_two_categories(self):
        assert sketches.expected_missing(np.array([1.0, 1.0, 2.0]), 1) == 0.5
