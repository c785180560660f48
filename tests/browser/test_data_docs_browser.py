"""The pages as people see them: inside Airflow, in both themes, at phone width, and nothing runs or phones home."""

import json
import time
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest
from playwright.sync_api import expect

from include.retraining import expectations, phrases
from include.retraining.validation import About, validate
from include.retraining.windows import Interval
from tests.browser.conftest import DAYS

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("ignore:module 'sre_:DeprecationWarning")]

HOSTILE = json.loads((Path(__file__).parents[1] / "hostile.json").read_text())
DAY = Interval(datetime(2013, 2, 8, 5, tzinfo=UTC), datetime(2013, 2, 9, 5, tzinfo=UTC))
RUN = "/dags/retrain_flight_delays/runs/manual__storm/plugin/retraining_run_data_docs"
NAV = "/plugin/retraining_data_docs"
TASK = "/dags/retrain_flight_delays/runs/manual__storm/tasks/validate_snapshot/details"
TRENDS = "/retraining/data-docs/retrain_flight_delays/trends"


@pytest.fixture
def watched(chromium, site):
    """Return a function that opens an address and records whatever should not happen."""
    contexts = []

    def open_page(path: str, **settings):
        context = chromium.new_context(**{"viewport": {"width": 1280, "height": 900}, **settings})
        contexts.append(context)
        page = context.new_page()
        page.wrong = []
        page.on("dialog", lambda dialog: (page.wrong.append(f"dialog {dialog.message}"), dialog.dismiss()))
        page.on("pageerror", lambda error: page.wrong.append(f"error {error}"))
        page.on("console", lambda said: page.wrong.append(said.text) if "Content Security" in said.text else None)
        page.on(
            "request", lambda one: None if one.url.startswith((site, "data:", "blob:")) else page.wrong.append(one.url)
        )
        page.goto(f"{site}{path}")
        return page

    yield open_page
    for context in contexts:
        context.close()


def test_hostile_text_is_dead_in_a_real_browser(chromium):
    page = chromium.new_page()
    wrong = []
    page.on("dialog", lambda dialog: (wrong.append(dialog.message), dialog.dismiss()))
    page.on("request", lambda one: wrong.append(one.url))
    for text in HOSTILE:
        suite = {
            "name": text,
            "expectations": [
                {
                    "type": "expect_column_values_to_be_in_set",
                    "kwargs": {"column": f"column {text}", "value_set": [text + "!"]},
                    "meta": {"notes": text},
                }
            ],
        }
        parsed = expectations.for_snapshot(expectations.parse(suite, "test"))
        found = validate(pd.DataFrame({f"column {text}": [f"value {text}"]}), parsed, About(text, DAY, "0" * 64))
        html = found.html.replace("default-src 'none'; style-src 'unsafe-inline'", "default-src *")
        assert html != found.html, "the page's own policy must not be what saves it"
        page.set_content(html.replace("default-src *", "default-src * 'unsafe-inline' 'unsafe-eval' data:"))
        shown = " ".join(f"value {phrases.visible(text)}".split())
        assert shown in " ".join(page.inner_text("body").split())
        assert page.evaluate("document.scripts.length + document.images.length + document.links.length") == 0
        assert page.evaluate(
            "[...document.querySelectorAll('*')].every(e => e.getAttributeNames().every(n => n[0] != 'o'))"
        )
    page.close()
    assert wrong == []


def test_the_network_is_cut_so_that_a_page_that_shows_needed_nobody(chromium, site):
    page = chromium.new_page()
    with pytest.raises(Exception, match="ERR_NAME_NOT_RESOLVED"):
        page.goto(site.replace("127.0.0.1", "localhost"))
    page.close()


def test_list_opens_a_page_inside_airflow(watched):
    page = watched(NAV)
    listed = page.frame_locator("iframe")
    listed.get_by_role("link", name="snapshot of Friday 8 February 2013").click()
    document = listed.frame_locator("iframe")
    expect(document.get_by_role("heading", name="Friday 8 February 2013")).to_be_visible()
    expect(document.locator("body")).to_contain_text("Passed with warnings", use_inner_text=True)
    listed.get_by_role("link", name="Later").click()
    expect(document.get_by_role("heading", name="Saturday 9 February 2013")).to_be_visible()
    expect(document.locator("body")).to_contain_text("<img src=x onerror=alert(1)>", use_inner_text=True)
    listed.get_by_role("link", name="flight_delays").click()
    expect(listed.locator("tbody")).to_have_count(len(DAYS))
    listed.get_by_role("combobox", name="Outcome").select_option("fail")
    listed.get_by_role("button", name="Show").click()
    expect(listed.locator("tbody")).to_have_count(1)
    expect(listed.get_by_text("Refused", exact=True)).to_be_visible()
    assert page.wrong == []


def test_navigation_names_the_list(watched):
    page = watched("/")
    page.get_by_role("button", name="Browse").click()
    page.get_by_role("menuitem", name="Data Docs").click()
    expect(page.frame_locator("iframe").get_by_role("heading", name="flight_delays")).to_be_visible()


def test_list_is_searched_and_filtered_by_what_did_not_hold(watched):
    page = watched(NAV)
    listed = page.frame_locator("iframe")
    own = listed.get_by_role("region", name="flight_delays")
    own.get_by_role("searchbox", name="Search").fill("8 february departed")
    own.get_by_role("button", name="Show").click()
    expect(listed.locator("tbody")).to_have_count(1)
    expect(listed.get_by_role("searchbox")).to_have_value("8 february departed")
    listed.get_by_role("searchbox").fill("")
    chosen = listed.get_by_role("combobox", name="What did not hold")
    chosen.select_option(label="origin: values must belong to this set: EWR, JFK, LGA (critical)")
    listed.get_by_role("button", name="Show").click()
    expect(listed.locator("tbody")).to_have_count(1)
    expect(listed.locator("tbody")).to_contain_text("Saturday 9 February 2013")
    assert page.wrong == []


def test_trends_lead_from_the_list_to_one_interval(watched):
    page = watched(NAV)
    listed = page.frame_locator("iframe")
    listed.get_by_role("link", name="Trends of flight_delays").click()
    expect(listed.get_by_role("img", name="departed: mean must be between 0.9 and 1")).to_be_visible()
    listed.get_by_role("link", name="departed: mean must be between 0.9 and 1").click()
    expect(listed.get_by_role("heading", level=1)).to_have_text("departed: mean must be between 0.9 and 1")
    plot = listed.get_by_role("img")
    assert plot.bounding_box()["height"] > 150
    assert len({box["x"] for box in (dot.bounding_box() for dot in plot.locator(".dot").all())}) == len(DAYS)
    listed.get_by_role("link", name="Friday 8 February 2013").click()
    expect(listed.frame_locator("iframe").get_by_role("heading", name="Friday 8 February 2013")).to_be_visible()
    assert page.wrong == []


def test_task_has_a_button_to_its_page(watched):
    page = watched(TASK)
    page.get_by_role("link", name="Data Docs").click()
    page.wait_for_url(f"**{RUN}")
    document = page.frame_locator("iframe").frame_locator("iframe")
    expect(document.get_by_role("heading", name="Friday 8 February 2013")).to_be_visible()
    assert page.wrong == []


def test_other_tasks_have_no_button(watched):
    page = watched(TASK.replace("validate_snapshot", "pull_snapshot"))
    expect(page.get_by_text("pull_snapshot").first).to_be_visible()
    expect(page.get_by_text("Additional Task Instance Attributes")).to_be_visible()
    assert page.get_by_text("Extra Links").count() == 0


def test_skip_link_passes_over_what_stands_above(watched):
    page = watched("/retraining/data-docs?dag_id=retrain_flight_delays")
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the intervals")
    expect(skip).to_be_focused()
    assert skip.bounding_box()["width"] > 50
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="snapshot of Saturday 9 February 2013")).to_be_focused()


def test_run_tab_begins_with_the_decision(watched):
    page = watched(RUN)
    frame = page.frame_locator("iframe")
    expect(frame.get_by_text("Keep the champion. Nothing is worse. It is young.")).to_be_visible()
    expect(frame.frame_locator("iframe").get_by_role("heading", name="Friday 8 February 2013")).to_be_visible()
    assert page.wrong == []


def test_published_page_can_reach_nobody(watched):
    page = watched("/retraining/data-docs")
    page.get_by_role("link", name="snapshot of Friday 8 February 2013").click()
    frame = framed(page)
    assert frame.evaluate("self.origin") == "null"
    with pytest.raises(Exception, match="sandboxed"):
        frame.evaluate("document.cookie")
    assert page.evaluate("document.querySelector('iframe').contentDocument") is None


@pytest.mark.parametrize(
    "path", ["/retraining/data-docs", TRENDS, "/retraining/run?dag_id=retrain_flight_delays&run_id=x"]
)
def test_keyboard_reaches_everything_that_can_be_pressed(watched, path):
    page = watched(path)
    kinds = "a, button, select, input:not([type=hidden])"
    pressable = page.locator(kinds).count()
    reached = set()
    for _ in range(pressable):
        page.keyboard.press("Tab")
        reached.add(page.evaluate(f"[...document.querySelectorAll('{kinds}')].indexOf(document.activeElement)"))
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
    assert reached == set(range(pressable))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_pages_fit_and_can_be_read(watched, scheme, width):
    page = watched("/retraining/data-docs", viewport={"width": width, "height": 800}, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert faint(page) == []
    page.get_by_role("link", name="snapshot of Saturday 9 February 2013").click()
    frame = framed(page)
    assert frame.evaluate("document.documentElement.scrollWidth") <= width
    assert faint(frame) == []
    assert faint(page) == []
    assert page.wrong == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_trends_fit_and_can_be_read(watched, scheme, width):
    page = watched(TRENDS, viewport={"width": width, "height": 800}, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert faint(page) == []
    page.get_by_role("link", name="departed: mean must be between 0.9 and 1").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("departed: mean must be between 0.9 and 1")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert faint(page) == []
    assert page.wrong == []


def test_theme_follows_airflows_own_switch(watched, site):
    page = watched("/", color_scheme="null")
    page.evaluate("localStorage.setItem('theme', 'dark')")
    page.goto(f"{site}{RUN}")
    expect(page.frame_locator("iframe").frame_locator("iframe").get_by_role("heading", name="Friday")).to_be_visible()
    assert comes_to(page, lambda: [is_dark(frame) for frame in page.frames[1:]], [True, True])


def framed(page):
    """Return the frame of a published page, once all of it is there."""
    expect(page.frame_locator("iframe").get_by_role("heading", level=1)).to_be_visible()
    frame = next(one for one in page.frames if one.url.endswith("/raw"))
    frame.wait_for_load_state()
    return frame


def is_dark(frame) -> bool:
    return frame.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")


def comes_to(page, ask, answer, patience_s=10) -> bool:
    """Tell whether what is asked again and again becomes the answer: a theme reaches frames some time after a page."""
    deadline = time.monotonic() + patience_s
    while (found := ask()) != answer and time.monotonic() < deadline:
        page.wait_for_timeout(50)
    return found == answer


def faint(page) -> list[str]:
    """Return texts whose contrast with what lies behind them is below 4.5 to 1."""
    return page.evaluate(
        """() => {
          const linear = v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
          const light = c => { const [r, g, b] = c.map(linear);
            return .2126 * r + .7152 * g + .0722 * b };
          const parse = c => c.match(/[\\d.]+/g).map(Number);
          const ground = e => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor);
            if (c.length < 4 || c[3] > 0) return c.slice(0, 3) } return [255, 255, 255] };
          return [...document.querySelectorAll('body *')].filter(e => e.checkVisibility() && e.tagName != 'OPTION'
            && [...e.childNodes].some(n => n.nodeType == 3 && n.data.trim())).filter(e => {
              const a = light(parse(getComputedStyle(e).color).slice(0, 3)), b = light(ground(e));
              return (Math.max(a, b) + .05) / (Math.min(a, b) + .05) < 4.5
            }).map(e => e.outerHTML.slice(0, 120)) }"""
    )
