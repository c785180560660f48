"""The page of a replay in a real browser: it asks nobody, boxes hide lines, and it fits a phone."""

import json
from copy import deepcopy
from pathlib import Path

import pytest
from playwright.sync_api import expect

from include.retraining import replay_page
from tests.retraining.test_replay_report import REPORT

pytestmark = [pytest.mark.browser]
HOSTILE = json.loads((Path(__file__).parents[1] / "hostile.json").read_text())


@pytest.fixture
def opened(chromium, tmp_path):
    """Return a function that opens a replay from its file and records whatever should not happen."""
    contexts = []

    def open_page(report=REPORT, **settings):
        path = tmp_path / "replay.html"
        path.write_text(replay_page.page(report), encoding="utf-8")
        context = chromium.new_context(**{"viewport": {"width": 1280, "height": 900}, **settings})
        contexts.append(context)
        page = context.new_page()
        page.wrong = []
        page.on("dialog", lambda dialog: (page.wrong.append(dialog.message), dialog.dismiss()))
        page.on("console", lambda said: page.wrong.append(said.text))
        page.on("request", lambda one: None if one.url == path.as_uri() else page.wrong.append(one.url))
        page.goto(path.as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()


def test_a_box_hides_what_is_drawn_of_its_policy_by_keyboard_too(opened):
    page = opened()
    line, lane = page.locator("path.line.of-1"), page.locator("svg.lane.of-1")
    expect(line).to_be_visible()
    page.get_by_label("every interval").focus()
    page.keyboard.press("Space")
    expect(line).to_be_hidden()
    expect(lane).to_be_hidden()
    expect(page.locator("path.line.of-2")).to_be_visible()
    page.get_by_text("every interval").first.click()
    expect(line).to_be_visible()
    assert page.wrong == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_its_style_counts_in_both_themes(opened, scheme):
    page = opened(color_scheme=scheme)
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == {"light": "rgb(255, 255, 255)", "dark": "rgb(22, 29, 45)"}[scheme]
    assert page.wrong == []


def test_a_phone_scrolls_the_table_and_not_the_page(opened):
    page = opened(viewport={"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert page.evaluate("document.querySelector('.scroll').scrollWidth") > 390


def test_hostile_names_do_nothing(opened):
    report = {**deepcopy(REPORT), "model": HOSTILE[0], "left_out": HOSTILE}
    for text in HOSTILE:
        policy = {**deepcopy(REPORT["policies"][2]), "name": f"mine:{text}"}
        policy["steps"][-1] |= {"is_fit": True, "reason": text, "verdict": text}
        report["policies"].append(policy)
    page = opened(report)
    page.wait_for_timeout(200)
    assert page.locator(".policies tbody tr").count() == len(report["policies"])
    assert page.wrong == []
