"""What a table is about: each guess where it is obvious, and one message with the candidates where it is not."""

import pandas as pd
import pytest

from include.retraining.errors import SpecError
from include.retraining.guessing import Asked, Guess, guess
from tests.retraining.tables import doubled, looks, orders

ORDERS = orders(5)


def guessed(frame: pd.DataFrame, **asked) -> Guess:
    return guess(looks(frame), Asked(**asked), doubled(frame))


def refused(frame: pd.DataFrame, **asked) -> str:
    with pytest.raises(SpecError) as caught:
        guessed(frame, **asked)
    return str(caught.value)


def test_an_obvious_table_needs_no_option():
    found = guessed(ORDERS)
    assert (found.time.source, found.label.source, found.task) == ("created_at", "returned", "binary")
    assert [one.source for one in found.key] == ["order_id"]
    assert found.reasons == {
        "--time": "the only column of moments",
        "--label": "the only column of yes and no",
        "--task": "'returned' has two values, 0, 1",
        "--key": "no two rows have the same",
    }


def test_of_several_moments_the_one_that_is_named_so_is_the_time():
    found = guessed(ORDERS.assign(shipped="2024-02-01"))
    assert found.time.source == "created_at"
    told = refused(ORDERS.rename(columns={"created_at": "bought"}).assign(shipped="2024-02-01"))
    assert told.startswith("Several columns hold moments: 'bought', 'shipped'. Say with --time")


def test_without_a_moment_nothing_can_be_done():
    assert "No column holds moments" in refused(ORDERS.drop(columns="created_at"))
    told = refused(ORDERS, time="amount")
    assert "--time: 'amount' holds no moments (like " in told
    assert told.endswith("candidates: 'created_at'.")


def test_a_label_is_never_guessed_between_two():
    told = refused(ORDERS.assign(paid=ORDERS["returned"].iloc[::-1].to_numpy()))
    assert told.endswith("Say it with --label; candidates: 'returned', 'paid'.")
    assert guessed(ORDERS.assign(paid=1 - ORDERS["returned"], target=ORDERS["amount"])).label.source == "target"
    assert "Give one of 'order_id', 'created_at'" in refused(ORDERS, label="nonesuch")


@pytest.mark.parametrize(
    ("values", "task", "one"),
    [
        ([0, 1, None], "binary", None),
        ([1, 2], "binary", 2.0),
        ([True, False], "binary", None),
        (["Yes", "no "], "binary", "yes"),
        (["good", "bad"], "multiclass", None),
        (["a", "b", "c"], "multiclass", None),
        ([0.5, 1.5, 2.5], "regression", None),
        (list(range(50)), "regression", None),
    ],
)
def test_the_task_follows_from_the_labels_values(values, task, one):
    frame = ORDERS.head(300).assign(label=pd.Series(values * 300, dtype="object").head(300))
    found = guessed(frame)
    assert (found.task, found.one) == (task, one)


def test_a_few_whole_numbers_are_classes_or_a_quantity():
    frame = ORDERS.assign(label=ORDERS["pieces"])
    assert "Say --task multiclass or --task regression" in refused(frame)
    assert guessed(frame, task="multiclass").task == "multiclass"
    assert guessed(frame, task="regression").reasons["--task"] == "as asked"


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"label": "region", "task": "regression"}, "holds texts"),
        ({"label": "region", "task": "binary"}, "has 3 values"),
        ({"label": "order_id", "task": "multiclass"}, "has 500 values; at most 100"),
        ({"label": "order_id"}, "has 500 different values in the sample that are no numbers"),
        ({"label": "created_at", "time": "created_at"}, "holds neither numbers nor texts"),
        ({"key": ("region",)}, "3 values of 'region' stand in more than one row"),
        ({"key": ("order_id", "returned")}, "'returned' is the label"),
        ({"key": ("order",)}, "there is no column 'order'"),
    ],
)
def test_what_is_asked_for_is_held_to_the_data(asked, words):
    assert words in refused(ORDERS, **asked)


def test_a_label_that_never_varies_is_refused():
    assert "1 different value(s): nothing to learn" in refused(ORDERS.assign(returned=1), label="returned")


def test_two_columns_that_name_each_row_are_asked_about():
    frame = ORDERS.assign(parcel_id=[f"p{place}" for place in range(len(ORDERS))])
    assert "Several columns name each row: 'order_id', 'parcel_id'. Say with --key" in refused(frame)


def test_columns_name_a_row_together_and_no_more_of_them_than_it_takes():
    hours = ORDERS["created_at"].str[:13] + ":00:00"
    shop = ORDERS.groupby([hours, "region"]).cumcount().astype("str") + " shop"
    found = guessed(ORDERS.assign(created_at=hours, shop=shop).drop(columns=["order_id", "email"]))
    assert {one.source for one in found.key} == {"created_at", "region", "shop"}


def test_an_address_is_no_key_unless_it_is_asked_for():
    frame = ORDERS.drop(columns="order_id").assign(email=[f"a{place}@b.org" for place in range(len(ORDERS))])
    assert "email" not in {one.source for one in guessed(frame).key}
    assert [one.source for one in guessed(frame, key=("email",)).key] == ["email"]


def test_lines_of_a_file_name_rows_where_nothing_else_does():
    rounded = ORDERS.assign(created_at=ORDERS["created_at"].str[:10], line=range(len(ORDERS)))
    found = guessed(rounded.drop(columns=["order_id", "email"]), line="line")
    assert [one.source for one in found.key] == ["line"]
    assert [one.source for one in guessed(rounded, line="line").key] == ["order_id"]
    nearly = pd.concat([rounded, rounded[:3].assign(line=[-1, -2, -3])], ignore_index=True)
    found = guessed(nearly, line="line")
    assert [one.source for one in found.key] == ["line"]
    told = "(3 values of 'order_id' stand in more than one: mend them, then say --key order_id)"
    assert told in found.reasons["--key"]
    doubled_rows = pd.concat([rounded.drop(columns=["line", "order_id", "email"])] * 2, ignore_index=True)
    assert "No column names a row" in refused(doubled_rows)
