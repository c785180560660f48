"""Suite files: read, checked with every mistake named, split, digested and turned into GX suites."""

import contextlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.retraining import expectations
from include.retraining.errors import SpecError

PROJECT = Path(__file__).parents[2]
MODELS = PROJECT / "include" / "models"

WORDS = ["type", "kwargs", "severity", "meta", "notes", "on", "relative_to", "tolerance", "column", "column_list", "id"]

pytestmark = pytest.mark.filterwarnings("ignore:module 'sre_:DeprecationWarning")


def not_null(column: str, **more: object) -> dict[str, object]:
    return {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": column}, **more}


def write(path: Path, *listed: object, name: object = "flights") -> Path:
    file = path / "suite.json"
    file.write_text(json.dumps({"name": name, "expectations": list(listed)}))
    return file


def test_suite_keeps_order_and_fills_defaults(tmp_path):
    suite = expectations.load(write(tmp_path, not_null("b"), not_null("a", severity="info", meta={"notes": "why"})))
    assert suite.name == "flights"
    assert [found["kwargs"]["column"] for found in suite.expectations] == ["b", "a"]
    assert suite.expectations[0] == {
        "type": "expect_column_values_to_not_be_null",
        "kwargs": {"column": "b"},
        "severity": "critical",
        "notes": "",
        "on": "snapshot",
    }
    assert suite.expectations[1]["notes"] == "why"


def test_digest_ignores_layout_and_key_order_but_nothing_else(tmp_path):
    first = expectations.load(write(tmp_path, not_null("a", severity="warning")))
    file = tmp_path / "other.json"
    file.write_text(
        json.dumps(
            {
                "expectations": [
                    {"severity": "warning", "kwargs": {"column": "a"}, "type": "expect_column_values_to_not_be_null"}
                ],
                "name": "flights",
            },
            indent=7,
        )
    )
    assert expectations.load(file).sha256 == first.sha256
    for changed in (not_null("a"), not_null("b", severity="warning"), not_null("a", severity="warning", notes="x")):
        assert expectations.load(write(tmp_path, changed)).sha256 != first.sha256
    assert expectations.load(write(tmp_path, not_null("a", severity="warning"), name="x")).sha256 != first.sha256


def test_halves_have_digests_of_their_own(tmp_path):
    labels = not_null("late", meta={"on": "labels"})
    suite = expectations.load(write(tmp_path, not_null("a"), labels))
    more = expectations.load(write(tmp_path, not_null("a"), labels, not_null("status", meta={"on": "labels"})))
    assert [found["kwargs"]["column"] for found in expectations.for_labels(suite).expectations] == ["late"]
    assert [found["kwargs"]["column"] for found in expectations.for_snapshot(suite).expectations] == ["a"]
    assert expectations.for_snapshot(suite).sha256 == expectations.for_snapshot(more).sha256
    assert expectations.for_labels(suite).sha256 != expectations.for_labels(more).sha256


def test_every_mistake_is_named_at_once(tmp_path):
    file = write(
        tmp_path,
        {"type": "expect_everything_to_be_fine", "kwargs": {"column": "a"}},
        not_null("b", severity="fatal"),
        not_null("c", meta={"on": "predictions"}),
        {"type": "expect_column_to_exist", "kwargs": "d"},
        {"type": "expect_column_to_exist", "kwargs": {"column": "e"}, "mostly": 0.9},
        "nothing",
        not_null("f"),
        not_null("f"),
        name=" ",
    )
    with pytest.raises(SpecError) as caught:
        expectations.load(file)
    assert str(caught.value).splitlines() == [
        "Suite suite.json has 8 mistake(s):",
        "  - name: found ' ', expected a word.",
        "  - expectation 1 (expect_everything_to_be_fine on a): unknown type 'expect_everything_to_be_fine', "
        "expected one that Great Expectations 1.24 runs on rows.",
        "  - expectation 2 (expect_column_values_to_not_be_null on b): severity: found 'fatal', "
        "expected one of ['critical', 'warning', 'info'].",
        "  - expectation 3 (expect_column_values_to_not_be_null on c): meta: found {'on': 'predictions'}, "
        "expected an object whose `on` is 'snapshot' or 'labels'.",
        "  - expectation 4 (expect_column_to_exist): kwargs: found 'd', expected an object.",
        "  - expectation 5 (expect_column_to_exist on e): unknown fields ['mostly'], "
        "expected some of ['description', 'id', 'kwargs', 'meta', 'notes', 'severity', 'type'].",
        "  - expectation 6: found 'nothing', expected an object with type, kwargs, severity and meta.",
        '  - the same expectation stands 2 times: {"kwargs": {"column": "f"}, '
        '"type": "expect_column_values_to_not_be_null"}',
    ]


def rows(kwargs: dict[str, object] | None = None, **meta: object) -> dict[str, object]:
    return {"type": "expect_table_row_count_to_be_between", "kwargs": kwargs or {}, "meta": meta}


def test_limits_can_be_relative_to_earlier_intervals(tmp_path):
    relative = rows(relative_to="weekday", tolerance=0.3)
    suite = expectations.load(write(tmp_path, relative, not_null("a", meta={"relative_to": None})))
    assert suite.expectations[0] == {
        "type": "expect_table_row_count_to_be_between",
        "kwargs": {},
        "severity": "critical",
        "notes": "",
        "on": "snapshot",
        "relative_to": "weekday",
        "tolerance": 0.3,
    }
    assert "relative_to" not in suite.expectations[1]
    assert len(expectations.to_gx(suite).expectations) == 2
    for changed in (rows(relative_to="recent", tolerance=0.3), rows(relative_to="weekday", tolerance=0.2)):
        assert expectations.load(write(tmp_path, changed)).sha256 != expectations.load(write(tmp_path, relative)).sha256


def test_suites_without_relative_limits_keep_the_digest_of_earlier_releases(tmp_path):
    suite = expectations.load(write(tmp_path, not_null("a", severity="warning", meta={"notes": "why"})))
    assert suite.sha256 == "16e371a5cab6147687d2aa9c8088e1717650dfcf09f59469b374c30098f67028"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (rows(relative_to="month", tolerance=0.3), "found 'month', expected one of ['recent', 'weekday', 'season']"),
        (rows(relative_to=["weekday"], tolerance=0.3), "found ['weekday'], expected one of ['recent', "),
        (rows(tolerance=0.3), "meta.relative_to: found None, expected one of"),
        (
            rows(relative_to="weekday"),
            "meta.tolerance: found None, expected a share of the median above 0 and at most 1",
        ),
        (rows(relative_to="weekday", tolerance=0), "meta.tolerance: found 0,"),
        (rows(relative_to="weekday", tolerance=30), "meta.tolerance: found 30,"),
        (rows(relative_to="weekday", tolerance=float("nan")), "meta.tolerance: found nan,"),
        (rows(relative_to="weekday", tolerance=True), "meta.tolerance: found True,"),
        (rows(relative_to="weekday", tolerance="0.3"), "meta.tolerance: found '0.3',"),
        (rows({"min_value": 0}, relative_to="weekday", tolerance=0.3), "kwargs: found ['min_value'] beside"),
        (not_null("a", meta={"relative_to": "recent", "tolerance": 0.3}), "not_be_null observes no single number"),
    ],
)
def test_mistaken_relative_limits_are_named(tmp_path, wrong, message):
    with pytest.raises(SpecError, match="1 mistake") as caught:
        expectations.load(write(tmp_path, wrong))
    assert message in str(caught.value)


@pytest.mark.parametrize("kind", sorted(expectations.NUMBERED))
def test_great_expectations_builds_every_relative_type_without_limits(tmp_path, kind):
    kwargs = {"column": "a"} if "column" in kind else {}
    wanted = {"type": kind, "kwargs": kwargs, "meta": {"relative_to": "recent", "tolerance": 1}}
    assert len(expectations.to_gx(expectations.load(write(tmp_path, wanted))).expectations) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not valid JSON"),
        ("[]", 'expected an object with "name" and a list "expectations"'),
        ('{"name": "x"}', 'expected an object with "name" and a list "expectations"'),
        ('{"name": "x", "expectations": []}', "expectations: empty, expected at least one."),
    ],
)
def test_malformed_files(tmp_path, text, message):
    file = tmp_path / "suite.json"
    file.write_text(text)
    with pytest.raises(SpecError, match=r"suite\.json") as caught:
        expectations.load(file)
    assert message in str(caught.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats() | st.sampled_from(["a", "info", "labels", "weekday"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=5),
    max_leaves=12,
)


def is_suite_or_refused(content: object) -> None:
    """Any other error than ours fails the test."""
    with contextlib.suppress(SpecError):
        assert expectations.parse(content, "suite.json").expectations


@given(content=st.fixed_dictionaries({"name": JSON, "expectations": JSON | st.lists(JSON, max_size=3)}) | JSON)
def test_whatever_json_a_file_holds_is_a_suite_or_named_mistakes(content):
    is_suite_or_refused(content)


@settings(max_examples=400)
@given(field=st.sampled_from(WORDS), inside=st.sampled_from(["", "kwargs", "meta"]), value=JSON)
def test_whatever_one_field_holds_is_a_suite_or_a_named_mistake(field, inside, value):
    sound = not_null("a", meta={"on": "labels"})
    place = sound[inside] if inside else sound
    place[field] = value
    is_suite_or_refused({"name": "flights", "expectations": [sound]})


def test_missing_file(tmp_path):
    with pytest.raises(SpecError, match=r"cannot be read: No such file or directory\. Give a suite file in the spec\."):
        expectations.load(tmp_path / "none.json")


def test_columns_that_are_not_stored_are_named(tmp_path):
    pair = {"type": "expect_compound_columns_to_be_unique", "kwargs": {"column_list": ["b", "d"]}}
    suite = expectations.for_snapshot(expectations.load(write(tmp_path, not_null("a"), not_null("c"), pair)))
    expectations.check(suite, ["a", "b", "c", "d"])
    with pytest.raises(SpecError) as caught:
        expectations.check(suite, ["a", "b"])
    assert str(caught.value).splitlines() == [
        "Suite flights on the snapshot has 2 mistake(s):",
        "  - expectation 2 (expect_column_values_to_not_be_null on c): column 'c' is not stored, "
        "expected one of ['a', 'b'].",
        "  - expectation 3 (expect_compound_columns_to_be_unique on b, d): column 'd' is not stored, "
        "expected one of ['a', 'b'].",
    ]


def test_arguments_that_great_expectations_refuses_are_named(tmp_path):
    wrong = {"type": "expect_column_values_to_be_between", "kwargs": {"column": "a", "minimum": 1}}
    suite = expectations.load(write(tmp_path, not_null("a"), wrong))
    with pytest.raises(SpecError, match=r"1 mistake.*\n.*expectation 2 .*minimum extra fields not permitted"):
        expectations.to_gx(suite)


def test_gx_suite_keeps_order_severity_and_notes(tmp_path):
    suite = expectations.load(write(tmp_path, not_null("b", severity="warning", notes="why"), not_null("a")))
    built = expectations.to_gx(suite).expectations
    assert [found.column for found in built] == ["b", "a"]
    assert [found.severity.value for found in built] == ["warning", "critical"]
    assert built[0].notes == "why"


def test_known_types_are_those_of_great_expectations():
    from great_expectations.expectations import registry

    assert set(registry.list_registered_expectation_implementations()) >= expectations.TYPES


@pytest.mark.parametrize("file", sorted(MODELS.glob("*_suite.json")), ids=lambda path: path.stem)
def test_suites_in_the_repository_are_sound(file):
    suite = expectations.load(file)
    expectations.to_gx(suite)
    assert len(expectations.for_snapshot(suite).expectations) >= 15
    assert expectations.for_labels(suite).expectations
    assert all(found["notes"] for found in suite.expectations), "each expectation says why"


def test_flight_delays_suite_fits_its_spec():
    from include.models.flight_delays import SPEC

    suite = expectations.load(SPEC.suite)
    stored = {*SPEC.key_columns, SPEC.time_column, *SPEC.features, *SPEC.observed}
    expectations.check(expectations.for_snapshot(suite), stored)
    expectations.check(expectations.for_labels(suite), {*SPEC.key_columns, SPEC.label, "status"})
    (columns,) = (found for found in suite.expectations if found["type"] == "expect_table_columns_to_match_set")
    assert set(columns["kwargs"]["column_set"]) == stored


def test_reading_a_suite_imports_nothing_heavy():
    program = (
        "import sys; from pathlib import Path; from include.retraining import expectations as e;"
        "e.check(e.for_snapshot(e.load(Path('include/models/flight_delays_suite.json'))),"
        "[c for x in e.load(Path('include/models/flight_delays_suite.json')).expectations"
        " for c in e.columns_of(x['kwargs'])]);"
        "print([m for m in ('great_expectations', 'pandas', 'numpy', 'airflow', 'nh3', 'jinja2') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
