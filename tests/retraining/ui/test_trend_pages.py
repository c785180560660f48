"""The pages of trends: what they say of real days, of old results and of nothing, and that all of it is text."""

import json
import re
from pathlib import Path

import pytest

from include.retraining import phrases
from include.retraining.folder import open_folder
from include.retraining.ui import catalogue
from tests.retraining.ui import histories
from tests.retraining.ui.conftest import DAG_ID, failed_row, held_row
from tests.retraining.ui.reading import INSIDE, Page, get

TRENDS = f"/retraining/data-docs/{DAG_ID}/trends"
HOSTILE = json.loads((Path(__file__).parents[2] / "hostile.json").read_text())


def trend_links(page: Page) -> list[str]:
    return [link for link in page.links if re.search(r"/trends/[0-9a-f]{12}$", link)]


@pytest.fixture(scope="module")
def fortnight(departures, tmp_path_factory):
    """Return a store with the first 14 days of February: a storm on the 8th and 9th, other airports on the last."""
    folder = tmp_path_factory.mktemp("fortnight")
    histories.fill(open_folder(folder), departures, "2013-02-01", 14)
    return folder


@pytest.fixture
def real(served, fortnight, monkeypatch):
    """Serve those days."""
    monkeypatch.setenv("AIRFLOW_CONN_STORE", json.dumps({"conn_type": "fs", "extra": {"path": str(fortnight)}}))


def test_trends_of_real_days_begin_with_what_did_not_hold(viewer, real):
    page = get(viewer, TRENDS)
    told = page.text
    assert "the newest 14 intervals: Friday 1 February 2013 to Thursday 14 February 2013" in told
    order = ["Did not hold at least once 5", "critical origin : values must belong to this set: EWR, JFK, LGA"]
    order += ["Held on 13 of 14 (92.9 %)", "warning departed : mean must be between 0.9 and 1"]
    order += ["Held on 12 of 14 (85.7 %)", "tailnum", "Always held 65", "must have between 550 and 1150 rows"]
    for words in [*order, "default", "Not judged yet"]:
        _, found, told = told.partition(words)
        assert found, words
    assert page.tags.count("svg") == len(trend_links(page)) == 70


def test_every_trend_leads_to_its_own_page_and_from_there_to_every_interval(viewer, real):
    for link in trend_links(get(viewer, TRENDS))[:4]:
        page = get(viewer, link)
        assert page.tags.count("tr") == 15
        assert page.tags.count("tbody") == 1
        days = [one for one in page.links if one.endswith(".html")]
        assert len(days) == 14
        assert viewer.get(days[0]).status_code == viewer.get(days[-1]).status_code == 200


def test_one_trend_has_dates_values_and_limits(viewer, real):
    pages = (get(viewer, link).text for link in trend_links(get(viewer, TRENDS))[:5])
    told = next(text for text in pages if "departed: mean" in text)
    order = ["departed: mean must be between 0.9 and 1", "warning", "Held on 12 of 14 (85.7 %)"]
    order += ["expect_column_mean_to_be_between", "On a storm day half the flights are cancelled.", "2013-02-01"]
    order += ["2013-02-07", "2013-02-14", "the newest limits stand on the right", "Thursday 14 February 2013", "Held"]
    for words in [*order, "Saturday 9 February 2013 Did not hold 0.4254", "Friday 8 February 2013 Did not hold 0.49"]:
        _, found, told = told.partition(words)
        assert found, words


def test_a_share_of_unexpected_rows_is_told_as_one(viewer, real):
    origin = trend_links(get(viewer, TRENDS))[0]
    told = get(viewer, origin).text
    assert "Share of rows that are unexpected." in told
    assert "100 %" in told


def test_a_plot_says_in_words_what_it_shows(viewer, real):
    html = viewer.get(TRENDS).text
    plots = re.findall(r'<svg [^>]*role="img" aria-labelledby="(\S+) (\S+)">', html)
    ids = re.findall(r' id="([^"]+)"', html)
    assert len(plots) == 70
    assert len(set(ids)) == len(ids)
    assert {one for pair in plots for one in pair} <= set(ids)
    assert "14 intervals. Held on 12 of 14 (85.7 %). The last one on which it did not: Saturday 9 February" in html


def test_results_of_an_earlier_release_are_shown_as_held_or_not(viewer, served, publish):
    publish("2013-02-07")
    publish("2013-02-08", "warn", expectations=[failed_row("distance")])
    page = get(viewer, TRENDS)
    assert "distance : mean must be at least 0.9" in page.text
    (link,) = trend_links(page)
    assert "A bar is an interval; a long one did not hold." in get(viewer, link).text
    html = viewer.get(link).text
    assert 'class="tick held" d="M0 100V86"' in html
    assert 'class="tick failed" d="M1000 100V0"' in html


def test_what_is_not_judged_yet_is_told(viewer, served, publish):
    publish("2013-02-08", expectations=[{**held_row("distance"), "judged": False, "number": 0.95}])
    page = get(viewer, TRENDS)
    assert "Not judged yet" in page.text
    (link,) = trend_links(page)
    assert "Not judged yet; 1 not judged yet" not in get(viewer, link).text


def test_no_interval_yet(viewer, served):
    assert "No interval has been validated yet. Unpause the DAG retrain_flight_delays" in get(viewer, TRENDS).text


def test_a_trend_that_there_is_not(viewer, served, publish):
    publish("2013-02-08")
    assert "There is no such page." in get(viewer, f"{TRENDS}/{'0' * 12}", 404).text
    assert "There is no such page." in get(viewer, "/retraining/data-docs/somebody_elses_dag/trends", 404).text


def test_a_page_costs_the_same_once_its_results_are_known(viewer, served, publish, monkeypatch):
    for date in range(1, 9):
        publish(f"2013-02-0{date}")
    get(viewer, TRENDS)
    monkeypatch.setattr(type(served), "get", None)
    get(viewer, TRENDS)


def test_links_keep_airflows_own_prefix(airflow_app, viewer, served, publish):
    from fastapi.testclient import TestClient

    publish("2013-02-08")
    behind = TestClient(airflow_app, root_path="/airflow", headers=viewer.headers)
    (link,) = trend_links(Page(behind.get(f"/airflow{TRENDS}").text))
    for found in (behind.get(f"/airflow{TRENDS}"), behind.get(link)):
        assert found.status_code == 200
        assert all(one.startswith(("/airflow/retraining/", "#content")) for one in Page(found.text).links)


def hostile(text: str) -> list[dict[str, object]]:
    """Return rows in which a text is everything that a page of trends shows."""
    row = {"type": text, "column": text, "severity": "critical", "limit": text, "observed": text, "notes": text}
    failed = {**row, "success": False, "number": 0.5, "low": 0.9, "high": None, "source": "default"}
    return [failed, {**row, "success": True, "judged": False, "unexpected_ratio": 0.5, "number": 0.5}]


def pages(viewer) -> list[Page]:
    found = get(viewer, TRENDS)
    return [found, *(get(viewer, link) for link in trend_links(found))]


def test_hostile_text_is_dead_text_in_every_sink(viewer, served, publish):
    harmless: list[Page] = []
    for text in ["EWR", *HOSTILE]:
        shown = phrases.visible(text)
        publish("2013-02-08", "warn", on=shown, expectations=hostile(shown))
        catalogue.opened.cache_clear()
        found = pages(viewer)
        harmless = harmless or found
        assert [one.tags for one in found] == [one.tags for one in harmless], "the markup must not depend on a value"
        assert [one.attributes for one in found] == [one.attributes for one in harmless]
        assert all(link.startswith(INSIDE) for one in found for link in one.links)
        assert " ".join(shown.split()) in found[1].text
    assert [len(harmless), harmless[0].tags.count("svg")] == [3, 2]
    assert not {"script", "img", "iframe", "object", "form", "input", "link"} & {
        tag for one in harmless for tag in one.tags
    }
    assert not [name for one in harmless for name in one.attributes if name.startswith("on") or name == "style"]
