"""A proposed suite is accepted, holds on what it was learned from, gives nothing away and is the same every time."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from include.retraining import expectations, labelling, privacy, proposing
from include.retraining.spec import ModelSpec
from include.retraining.validation import About, validate
from tests.retraining import toy

SPEC = toy.spec()
COUNT = 14
LABEL_COLUMNS = [*SPEC.key_columns, SPEC.label, "status"]


def days(count: int = COUNT, seed: int = 0) -> list[pd.DataFrame]:
    return [privacy.private_view(toy.rows(number, seed=seed), SPEC, "s" * 32) for number in range(count)]


def propose(frames: list[pd.DataFrame], spec: ModelSpec = SPEC) -> dict:
    rows = [(toy.day(number), frame[list(spec.stored)]) for number, frame in enumerate(frames)]
    labels = [(toy.day(number), labelling.label_frame(frame, spec)) for number, frame in enumerate(frames)]
    return proposing.propose(spec, rows, labels)


def of(content: dict, kind: str, column: str | None = None, on: str = "snapshot") -> list[dict]:
    return [
        one
        for one in content["expectations"]
        if one["type"] == kind and one["kwargs"].get("column") == column and one["meta"].get("on", "snapshot") == on
    ]


def failures(content: dict, frames: list[pd.DataFrame]) -> list[tuple[int, str, str, str]]:
    """Return what fails of the half on the snapshot and of the half on the labels, but for relative limits."""
    suite, found = expectations.parse(content, "proposed"), []
    for half in (expectations.for_snapshot(suite), expectations.for_labels(suite)):
        fixed = tuple(one for one in half.expectations if "relative_to" not in one)
        for number, frame in enumerate(frames):
            rows = frame[list(SPEC.stored)] if half.on == "snapshot" else labelling.label_frame(frame, SPEC)
            about = About("parcels", toy.day(number), "a" * 64, frozenset({"note"}))
            result = validate(rows, expectations.Suite(suite.name, fixed, half.on), about).result
            found += [(number, row["severity"], row["type"], row["observed"]) for row in result["expectations"]
                      if not row["success"]]  # fmt: skip
    return found


def test_a_proposal_holds_on_what_it_was_learned_from():
    frames = days()
    assert failures(propose(frames), frames[::3]) == []


def test_a_proposal_says_all_that_there_is_to_expect():
    content = propose(days())
    assert content["name"] == "parcels"
    assert content["meta"]["notes"] == (
        "Proposed from 14 intervals, 2024-01-01 to 2024-01-14, with 840 rows, and from the labels of 14 intervals."
    )
    assert all(one["meta"]["notes"] and one["severity"] in {"critical", "warning"} for one in content["expectations"])
    (columns,) = of(content, "expect_table_columns_to_match_set")
    assert columns["kwargs"] == {"column_set": list(SPEC.stored), "exact_match": True}
    wide, usual = of(content, "expect_table_row_count_to_be_between")
    assert (wide["kwargs"], wide["severity"]) == ({"min_value": 20, "max_value": 180}, "critical")
    assert (usual["kwargs"], usual["meta"]["relative_to"], usual["meta"]["tolerance"]) == ({}, "recent", 0.05)
    assert [one["severity"] for one in of(content, "expect_column_values_to_be_unique", "parcel")] == ["critical"]
    typed = {
        one["kwargs"]["column"]: one["kwargs"]["type_"] for one in content["expectations"] if "type_" in one["kwargs"]
    }
    assert typed == {
        "parcel": "str",
        "sent_at": "Timestamp",
        "weight": "float64",
        "distance": "float64",
        "region": "str",
        "carrier": "str",
        "note": "str",
    }
    (distance,) = of(content, "expect_column_proportion_of_non_null_values_to_be_between", "distance")
    assert distance["meta"]["notes"] == "Seen in 14 intervals: 10.0 % to 10.0 % null."
    (region,) = of(content, "expect_column_values_to_be_in_set", "region")
    assert (region["kwargs"]["value_set"], region["severity"]) == (["north", "south"], "critical")
    assert of(content, "expect_column_kl_divergence_to_be_less_than", "carrier")
    assert of(content, "expect_column_values_to_be_between", "weight")


def test_volume_is_expected_by_weekday_once_there_are_four_of_each():
    content = propose([frame.head(30 if number % 7 == 6 else 60) for number, frame in enumerate(days(28))])
    _, usual = of(content, "expect_table_row_count_to_be_between")
    assert usual["meta"] == {
        "relative_to": "weekday",
        "tolerance": 0.05,
        "notes": "Seen in 28 intervals: each within 0.0 % of the median of the others of its weekday.",
    }


def test_labels_are_expected_too():
    content = propose(days())
    on_labels = [one for one in content["expectations"] if one["meta"].get("on") == "labels"]
    assert [one["type"].removeprefix("expect_column_") for one in on_labels] == [
        "values_to_be_unique",
        "values_to_be_in_set",
        "values_to_not_be_null",
        "values_to_be_in_set",
        "mean_to_be_between",
    ]
    (status,) = of(content, "expect_column_values_to_be_in_set", "status", on="labels")
    assert status["kwargs"]["value_set"] == ["known", "void", "unknown"]
    (late,) = of(content, "expect_column_values_to_be_in_set", "late", on="labels")
    assert (late["kwargs"]["value_set"], late["severity"]) == ([0, 1], "critical")


def test_a_base_rate_that_varies_gets_a_wide_range():
    frames = [frame.assign(late=np.arange(60) < 2 + 4 * number).astype({"late": "float64"})
              for number, frame in enumerate(days(8))]  # fmt: skip
    (rate,) = of(propose(frames), "expect_column_mean_to_be_between", "late", on="labels")
    assert rate["kwargs"] == {"column": "late", "min_value": 0.01, "max_value": 0.75}
    assert rate["meta"]["notes"] == "Seen in 8 intervals: 3.3 % to 50.0 % of the labels were 1."


def test_labels_of_other_tasks_get_ranges_or_classes():
    minutes = [frame.assign(late=np.linspace(0, 90, 60)) for frame in days(8)]
    content = propose(minutes)
    assert of(content, "expect_column_values_to_be_between", "late", on="labels")
    assert of(content, "expect_column_mean_to_be_between", "late", on="labels")
    classes = [frame.assign(late=pd.Series(["early", "late"] * 30, dtype="str")) for frame in days(8)]
    labels = [(toy.day(n), frame[["parcel", "late"]].assign(status="known")) for n, frame in enumerate(classes)]
    content = proposing.propose(SPEC, [(one, days(1)[0][list(SPEC.stored)]) for one, _ in labels], labels)
    assert of(content, "expect_column_values_to_be_in_set", "late", on="labels")[0]["severity"] == "critical"


def test_the_same_snapshots_make_the_same_bytes():
    first, second = (proposing.render(propose(days())) for _ in range(2))
    assert first == second
    content = json.loads(first)
    assert content == propose(days())
    assert max(len(line) for line in first.splitlines() if '"notes"' not in line) <= 120


def test_a_written_proposal_can_be_loaded(tmp_path: Path):
    file = tmp_path / "suite.json"
    file.write_text(proposing.render(propose(days())))
    suite = expectations.load(file)
    expectations.check(expectations.for_snapshot(suite), SPEC.stored)
    expectations.check(expectations.for_labels(suite), LABEL_COLUMNS)
    expectations.to_gx(suite)


def test_no_pseudonym_and_no_key_stands_in_a_proposal():
    spec = toy.spec(privacy={"note": "pseudonymise", "carrier": "pseudonymise", "region": "pseudonymise"})
    frames = [privacy.private_view(toy.rows(number), spec, "s" * 32) for number in range(COUNT)]
    text = proposing.render(propose(frames, spec))
    values = {value for frame in frames for name in ("note", "carrier", "region", "parcel") for value in frame[name]}
    assert len(values) > 800
    assert not [value for value in values if value in text]


def put(column: str, rows: int, *values: object, on: tuple[int, ...] = tuple(range(8))) -> Callable:
    """Return what writes values into the first rows of a column on some days."""

    def change(number: int, frame: pd.DataFrame) -> None:
        if number in on:
            frame[column] = pd.Series(
                [*values] * (rows // len(values)) + [*frame[column][rows:]], dtype=frame[column].dtype
            )

    return change


HOSTILE: dict[str, tuple[Callable, ...]] = {
    "doubled keys": (put("parcel", 2, "same", on=(1, 3, 5, 7)),),
    "keys that are missing": (put("parcel", 1, None, on=(3,)),),
    "infinite numbers": (put("weight", 1, np.inf),),
    "sentinels": (put("weight", 2, -999.0),),
    "columns that come and go": (put("weight", 60, np.nan, on=(1, 4)), put("carrier", 60, None, on=(1, 4))),
    "constants": (put("weight", 60, 7.0), put("carrier", 60, "van")),
    "odd values": (put("carrier", 4, '"', "\\", "\u202eevil", "<script>alert(1)</script>"),),
    "a value that turns up once": (put("carrier", 1, "drone", on=(7,)),),
    "a day of its own": (
        put("weight", 60, 900.0, on=(4,)),
        put("carrier", 60, "van", on=(4,)),
        put("late", 60, 1.0, on=(4,)),
    ),
}


def hostile(kind: str) -> list[pd.DataFrame]:
    frames = days(8)
    for number, frame in enumerate(frames):
        for change in HOSTILE[kind]:
            change(number, frame)
    return frames


@pytest.mark.parametrize("kind", HOSTILE)
def test_whatever_was_stored_a_proposal_would_not_have_refused_it(kind):
    frames = hostile(kind)
    text = proposing.render(propose(frames))
    found = failures(json.loads(text), frames[4:])
    assert not [one for one in found if one[1] == "critical"], found
    assert len(found) <= (4 if kind == "doubled keys" else 1), found


def test_a_doubled_key_is_a_warning_that_says_what_to_do():
    content = propose(hostile("doubled keys"))
    (key,) = of(content, "expect_column_values_to_be_unique", "parcel")
    assert key["severity"] == "warning"
    assert key["meta"]["notes"] == (
        "Seen in 8 intervals: doubled in 4 of them. Labels are joined by this key: mend the query."
    )


def test_one_interval_is_enough_for_a_first_proposal():
    content = propose(days(1))
    assert content["meta"]["notes"].startswith("Proposed from 1 interval, 2024-01-01 to 2024-01-01, with 60 rows")
    assert not [one for one in content["expectations"] if "relative_to" in one["meta"]]
    assert failures(content, days(1)) == []
