"""The page of a replay: self-contained, without a script, and whatever a name says is dead text."""

import base64
import hashlib
import json
import re
from copy import deepcopy
from html.parser import HTMLParser
from pathlib import Path

import pytest

from include.retraining import replay_page
from tests.retraining.test_replay_report import REPORT, reported

HOSTILE = json.loads((Path(__file__).parents[1] / "hostile.json").read_text())


class Reader(HTMLParser):
    """Takes down elements, attributes and text."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.attributes, self.text, self.style = [], [], "", ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        if self.tags[-1:] == ["style"] and not self.style:
            self.style = data
        self.text += data


def hostile(text):
    found = deepcopy(REPORT)
    found["model"] = found["first_champion"]["candidate"] = text
    found["left_out"] = [text]
    for policy in found["policies"][2:]:
        policy["name"] = f"mine:{text}"
        for step in policy["steps"]:
            step |= {"reason": text, "verdict": text, "champion": text}
    return found


@pytest.mark.parametrize("text", HOSTILE)
def test_whatever_a_name_says_is_dead_text(text):
    plain, found = Reader(replay_page.page(hostile("x"))), Reader(replay_page.page(hostile(text)))
    assert found.tags == plain.tags
    assert [name for name, _ in found.attributes] == [name for name, _ in plain.attributes]


def test_it_asks_nobody_and_runs_nothing():
    html = replay_page.page(REPORT)
    page = Reader(html)
    assert not set(page.tags) & {"script", "link", "img", "iframe", "object", "embed", "base", "form"}
    active = {"src", "href", "style", "action"}
    assert not [name for name, _ in page.attributes if name.startswith("on") or name in active]
    assert "url(" not in page.style
    assert "@import" not in page.style
    assert "//" not in re.sub(r"http://www\.w3\.org/2000/svg", "", html)


def test_its_policy_allows_its_own_style_alone():
    page = Reader(replay_page.page(REPORT))
    policy = next(value for name, value in page.attributes if name == "content" and "default-src" in value)
    digest = base64.b64encode(hashlib.sha256(page.style.encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def test_each_policy_has_a_box_that_hides_what_is_drawn_of_it():
    page = Reader(replay_page.page(REPORT))
    for place in range(len(REPORT["policies"])):
        assert ("id", f"show-{place}") in page.attributes
        assert f"body:has(#show-{place}:not(:checked)) .of-{place} {{ display: none; }}" in page.style
        assert [value for name, value in page.attributes if name == "class" and f"of-{place} " in f"{value} "]


def test_numbers_and_names_are_those_of_the_table():
    text = Reader(replay_page.page(REPORT)).text
    days = "14 intervals, 2024-01-07 to 2024-01-20"
    for told in ("every interval", "every 5 + recalibration", "never", "100.0 %", days):
        assert told in text
    assert "\u00a0%" in Reader(replay_page.page(reported(["never", "every", "12"]))).text
