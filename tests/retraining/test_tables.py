"""Tables: what a person reads in a terminal or a task's log."""

from include.retraining import tables


def test_columns_are_as_wide_as_their_widest_cell_and_nothing_trails():
    rows = [{"version": "a", "loss": 0.5}, {"version": "longer", "loss": 0.12345}]
    assert tables.render(rows) == ["version  loss", "a        0.5000", "longer   0.1235"]


def test_yes_nothing_and_unknown_are_told_apart():
    rows = [{"champion": True, "entry": 0}, {"champion": False, "entry": None}]
    assert tables.render(rows) == ["champion  entry", "yes       0", "          -"]


def test_no_rows_are_no_table():
    assert tables.render([]) == []
