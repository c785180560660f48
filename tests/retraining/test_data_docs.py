"""Data Docs: whatever stands in the rows or in the suite stays dead text in one self-contained page."""

import json
import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

from include.retraining import data_docs, expectations, phrases
from include.retraining.validation import About, Validation, validate
from include.retraining.windows import Interval

HOSTILE = json.loads((Path(__file__).parents[1] / "hostile.json").read_text())
DAY = Interval(datetime(2013, 2, 8, 5, tzinfo=UTC), datetime(2013, 2, 9, 5, tzinfo=UTC))
ATTRIBUTES = {"class", "id", "lang", "charset", "name", "content", "http-equiv", "scope"}
FORBIDDEN = {"script", "img", "svg", "iframe", "object", "embed", "form", "input", "link", "base", "a", "video", "math"}

pytestmark = pytest.mark.filterwarnings("ignore:module 'sre_:DeprecationWarning")


class Page(HTMLParser):
    """The tags in order, the attributes and the texts of a document."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.texts: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_endtag(self, tag):
        self.tags.append(f"/{tag}")

    def handle_data(self, data):
        self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


def build(text: str, severity: str = "warning", masked: frozenset[str] = frozenset()) -> Validation:
    """Validate rows in which a text is a value, a column name, a category, the suite's name, a note and the model."""
    suite = {
        "name": f"suite {text}",
        "expectations": [
            {
                "type": "expect_column_values_to_be_in_set",
                "kwargs": {"column": f"column {text}", "value_set": [f"category {text}", "fine"]},
                "severity": severity,
                "meta": {"notes": f"note {text}"},
            },
            {
                "type": "expect_compound_columns_to_be_unique",
                "kwargs": {"column_list": [f"column {text}", "other"]},
                "severity": severity,
            },
            {"type": "expect_column_to_exist", "kwargs": {"column": f"missing {text}"}, "severity": severity},
            {
                "type": "expect_column_values_to_not_be_null",
                "kwargs": {"column": f"missing {text}"},
                "severity": severity,
            },
            {
                "type": "expect_column_distinct_values_to_be_in_set",
                "kwargs": {"column": f"column {text}", "value_set": ["fine"]},
                "severity": severity,
            },
            {
                "type": "expect_column_most_common_value_to_be_in_set",
                "kwargs": {"column": f"column {text}", "value_set": ["fine"]},
                "severity": severity,
            },
            {
                "type": "expect_table_columns_to_match_set",
                "kwargs": {"column_set": ["other", "another"], "exact_match": True},
                "severity": severity,
            },
            {
                "type": "expect_column_values_to_match_regex",
                "kwargs": {"column": f"column {text}", "regex": f"^{re.escape(text)}$"},
                "severity": severity,
            },
        ],
    }
    frame = pd.DataFrame(
        {f"column {text}": [f"value {text}", f"value {text}", "fine"], "other": [1, 1, 2]}, dtype=object
    )
    return validate(
        frame,
        expectations.for_snapshot(expectations.parse(suite, "test")),
        About(f"model {text}", DAY, "0" * 64, masked),
    )


@pytest.fixture(scope="module")
def harmless() -> Page:
    return Page(build("EWR").html)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_dead_text_in_every_sink(text, harmless):
    html = build(text).html
    page = Page(html)
    assert page.tags == harmless.tags, "the markup must not depend on a value"
    assert page.attributes <= ATTRIBUTES
    assert not FORBIDDEN & set(page.tags)
    shown = " ".join(phrases.visible(text).split())
    for sink in ("value", "column", "category", "note", "model", "suite"):
        assert f"{sink} {shown}" in page.text, sink
    assert not re.search("[\ue000-\uf8ff\u202e\u200b\x00]", html)


def test_characters_that_hide_or_reorder_are_spelt_out():
    assert phrases.visible("a\ud800\ue03c\u202e\u200b\u00a0\n") == r"a\ud800\ue03c\u202e\u200b\u00a0\u000a"
    assert phrases.visible("x" * 1000) == "x" * 159 + "…"
    assert phrases.visible("Zürich 東京 😀") == "Zürich 東京 😀"


def test_page_is_one_self_contained_document():
    html = build("EWR").html
    assert html.startswith("<!DOCTYPE html>")
    assert len(html.encode()) < 100_000
    assert not re.search(r"https?://|url\(|@import|src=|href=|javascript:|<script", html)
    assert "content=\"default-src 'none'; style-src 'unsafe-inline'\"" in html


def test_headline_names_model_interval_and_outcome_and_lists_failures_before_the_rest():
    page = Page(build("EWR", severity="critical").html)
    opening = page.text.split("What did not hold")[0]
    assert "model EWR: snapshot" in opening
    assert "Friday 8 February 2013" in opening
    assert "Refused" in opening
    assert page.text.index("What did not hold") < page.text.index("Every expectation")
    assert page.text.index("value EWR") < page.text.index("Every expectation")


def test_interval_is_named_on_the_clock_of_the_model():
    suite = expectations.parse({"name": "s", "expectations": [exist("a")]}, "test")
    about = About("model", DAY, "0" * 64, timezone="America/New_York")
    html = validate(pd.DataFrame({"a": [1]}), suite, about).html
    assert "<h1>Friday 8 February 2013</h1>" in html


def test_severity_and_notes_stand_in_great_expectations_own_tables():
    page = Page(build("EWR").html)
    own = page.text.split("Every expectation")[1]
    assert "Status Expectation Observed Value Severity Why" in own
    assert "note EWR" in own
    assert "did not hold" in own


def test_masked_values_appear_nowhere():
    shown = build("EWR", masked=frozenset({"column EWR", "missing EWR"}))
    assert "value EWR" not in shown.html
    assert "value EWR" not in json.dumps(shown.result)
    assert "2 of 3 unexpected" in shown.html


def test_a_page_that_cannot_be_drawn_does_not_lose_the_validation(monkeypatch):
    def broken(*_):
        raise RuntimeError("<b>no</b>")

    monkeypatch.setattr(data_docs, "_drawn", broken)
    found = build("EWR")
    assert found.outcome == "warn"
    assert "could not draw its part of this page: RuntimeError" in found.html


def exist(column: str) -> dict[str, object]:
    return {"type": "expect_column_to_exist", "kwargs": {"column": column}}


def told(**more: object) -> Page:
    """Return the page of one expectation that held, and of one more that is told as a test wants it."""
    suite = expectations.parse({"name": "s", "expectations": [exist("a"), exist("b")]}, "test")
    found = validate(pd.DataFrame({"a": [1], "b": [1]}), suite, About("model", DAY, "0" * 64))
    rows = found.result["expectations"]
    result = {**found.result, "expectations": [rows[0], {**rows[1], **more}], "quarantined": more.get("quarantined")}
    raw = {"expectation_config": {"type": "expect_column_to_exist", "severity": "critical"}, "result": {}}
    raised = {"raised_exception": False, "exception_message": "", "exception_traceback": ""}
    own = [
        {
            **raw,
            "success": True,
            "exception_info": raised,
            "expectation_config": {**raw["expectation_config"], "kwargs": {"column": column}, "notes": ""},
        }
        for column in "ab"
    ]
    return Page(data_docs.page(result, own))


def test_what_comes_with_the_product_is_marked_wherever_it_stands():
    page = told(source="default", success=False)
    failed, own = page.text.split("Every expectation")
    assert "critical default" in failed.split("What did not hold")[1]
    assert "critical default" in own
    assert "Expectations marked default come with the product; all others stand in the suite." in own
    assert "default" not in told(source="suite", success=False).text.split("Every expectation")[1]


def test_what_was_not_judged_is_no_success():
    page = told(judged=False, observed="no earlier Friday")
    assert "Expectations that held 1 of 1 Not judged yet 1, for want of earlier intervals" in page.text
    assert page.text.split("Every expectation")[1].count("not judged") == 1
    assert "not judged" not in told().text.lower()


def test_rows_that_were_set_aside_are_told():
    page = told(quarantined={"rows": 12, "ratio": 0.004, "key": "k"})
    assert "Quarantine 12 rows set aside (0.4 %)" in page.text
    assert "Quarantine" not in told().text


def test_a_failure_says_what_share_of_the_rows_it_is_and_names_some_values():
    text = Page(build("EWR").html).text
    failed = text.split("What did not hold")[1].split("Every expectation")[0]
    assert "column EWR : values must belong to this set: category EWR, fine" in failed
    assert "2 of 3 unexpected (66.7 %) This value: value EWR note EWR" in failed


def test_results_that_do_not_match_what_great_expectations_drew_lose_their_marks_only():
    suite = expectations.parse({"name": "s", "expectations": [exist("a")]}, "test")
    found = validate(pd.DataFrame({"a": [1]}), suite, About("model", DAY, "0" * 64))
    page = Page(data_docs.page(found.result, []))
    assert "could not draw" not in page.text
