"""What the pages say, and that what they say is text."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from include.retraining import keys, phrases, signing, specs

DAG_ID = "retrain_flight_delays"
MODEL = "flight_delays"
SPAN = "20130208T050000Z--20130209T050000Z"
HOSTILE = json.loads((Path(__file__).parents[2] / "hostile.json").read_text())


class Page(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.texts: list[str] = []
        self.attributes: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value for name, value in attrs if name in ("href", "src", "action")]

    def handle_data(self, data):
        self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


def get(client, path: str, status: int = 200) -> Page:
    answer = client.get(path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    return Page(answer.text)


def test_list_names_intervals_newest_first_with_outcome_in_words(viewer, served, publish):
    publish("2013-02-07")
    publish("2013-02-08", "warn")
    publish("2013-02-08", on="labels")
    publish("2013-02-09", "fail")
    text = get(viewer, "/retraining/data-docs").text
    order = ["Saturday 9 February 2013", "Refused", "origin: mean", "Friday 8 February 2013", "Passed with warnings"]
    order += ["900", "departed: mean must be at least 0.9 (found 0.49)", "labels", "Thursday 7 February 2013"]
    for words in ["What did not hold", *order]:
        _, found, text = text.partition(words)
        assert found, words


def test_list_can_be_filtered_by_outcome(viewer, served, publish):
    publish("2013-02-07")
    publish("2013-02-08", "warn")
    text = get(viewer, f"/retraining/data-docs?dag_id={DAG_ID}&outcome=warn").text
    assert "8 February" in text
    assert "7 February" not in text
    empty = get(viewer, f"/retraining/data-docs?dag_id={DAG_ID}&outcome=fail").text
    assert "None of the 2 intervals looked at is “refused”" in empty
    assert "8 February" in get(viewer, f"/retraining/data-docs?dag_id={DAG_ID}&outcome=nonsense").text


def test_list_is_paged(viewer, served, publish):
    for number in range(40):
        publish(f"2013-0{1 + number // 28}-{1 + number % 28:02d}")
    first = viewer.get(f"/retraining/data-docs?dag_id={DAG_ID}").text
    assert first.count("<tbody>") == 31
    (older,) = re.findall(r'href="([^"]+before=[^"]+)"', first)
    second = viewer.get(older.replace("&amp;", "&")).text
    assert second.count("<tbody>") == 9
    assert "Newest" in second
    assert "Older" not in second.replace('aria-label="Older and newer intervals"', "")


def test_several_models_are_shown_in_short(viewer, served, publish, monkeypatch):
    monkeypatch.setattr(specs, "names", lambda: [MODEL, "nobodys", "other"])
    for date in range(1, 9):
        publish(f"2013-02-0{date}")
    page = get(viewer, "/retraining/data-docs")
    assert page.tags.count("tbody") == 5, "a DAG that Airflow does not know is nobody's to read"
    assert "nobodys" not in page.text


def test_empty_list_says_what_to_do(viewer, served):
    text = get(viewer, "/retraining/data-docs").text
    assert "No interval has been validated yet. Unpause the DAG retrain_flight_delays" in text


def test_page_of_an_interval_frames_the_document_and_leads_on(viewer, served, publish):
    publish("2013-02-07")
    name = publish("2013-02-08", "warn")
    publish("2013-02-09")
    page = get(viewer, f"/retraining/data-docs/{DAG_ID}/{SPAN}/{name}")
    assert "Data Docs flight_delays Friday 8 February 2013 Passed with warnings Earlier Later" in page.text
    assert f"/retraining/data-docs/{DAG_ID}/{SPAN}/{name}/raw" in page.links
    html = viewer.get(f"/retraining/data-docs/{DAG_ID}/{SPAN}/{name}").text
    assert '<iframe sandbox title="Data Docs of Friday 8 February 2013"' in html
    for link in page.links:
        assert viewer.get(link).status_code == 200, link


def test_links_keep_airflows_own_prefix(airflow_app, viewer, served, publish):
    from fastapi.testclient import TestClient

    publish("2013-02-08")
    behind = TestClient(airflow_app, root_path="/airflow", headers=viewer.headers)
    links = Page(behind.get("/airflow/retraining/data-docs").text).links
    assert links
    assert all(link.startswith("/airflow/retraining/") for link in links)


def record(store, run_id: str, sections: dict) -> None:
    interval = keys.parse_span(SPAN)
    store.put(keys.inputs(MODEL, interval, run_id), json.dumps({"run": run_id}).encode())
    prefix = keys.run(MODEL, interval, run_id)
    if sections:
        store.put(keys.record(prefix, 1), signing.seal({"sections": sections}))


def test_run_begins_with_its_decision_and_shows_its_page(viewer, served, publish):
    name = publish("2013-02-08", "warn")
    page = keys.data_docs(MODEL, keys.parse_span(SPAN)) + name
    decision = {"answer": "keep", "sentences": ["Nothing is worse.", "It is young."]}
    record(served, "manual__1", {"validation": {"sentence": "Warning.", "page": page}, "decision": decision})
    found = get(viewer, f"/retraining/run?dag_id={DAG_ID}&run_id=manual__1")
    told = found.text.partition(".message")[2] or found.text
    assert "Keep the champion. Nothing is worse. It is young." in told
    assert told.index("Keep the champion.") < told.index("Friday 8 February 2013")
    assert f"/retraining/data-docs/{DAG_ID}/{SPAN}/{name}/raw" in found.links


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        (None, "Nothing to show yet"),
        ({}, "Not validated yet"),
        ({"validation": {"sentence": "Not validated: 3 rows."}}, "No page for this run Not validated: 3 rows."),
        ({"validation": {"sentence": "Gone.", "page": f"{MODEL}/data-docs/{SPAN}/gone.html"}}, "Gone."),
        ({"validation": {"sentence": "Odd.", "page": "../../etc/passwd"}}, "Odd."),
        ({"report": {"answer": "failed", "sentences": ["Failed in validate_snapshot."]}}, "Failed. Failed in validate"),
    ],
)
def test_run_without_a_page_says_why(viewer, served, sections, words):
    if sections is not None:
        record(served, "manual__1", sections)
    assert words in get(viewer, f"/retraining/run?dag_id={DAG_ID}&run_id=manual__1").text


def test_run_of_another_dag_is_told_kindly(viewer, served):
    text = get(viewer, "/retraining/run?dag_id=somebody_elses_dag&run_id=x").text
    assert "somebody_elses_dag does not retrain a model, so its runs have no Data Docs." in text


def test_incomplete_address_is_told_kindly(viewer, served):
    answer = viewer.get(f"/retraining/run?dag_id={DAG_ID}")
    assert answer.status_code == 400
    assert "It needs run_id." in answer.text


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_results_and_records_are_dead_text(viewer, served, publish, text):
    shown = phrases.visible(text)
    row = {"type": shown, "column": shown, "severity": "critical", "success": False, "limit": shown, "observed": shown}
    name = publish("2013-02-08", sentence=shown, expectations=[row], outcome="fail", on=shown)
    page = f"{keys.data_docs(MODEL, keys.parse_span(SPAN))}{name}"
    decision = {"answer": text, "sentences": [text, text]}
    record(served, "manual__1", {"validation": {"sentence": text, "page": page}, "decision": decision})
    addresses = ["/retraining/data-docs", f"/retraining/data-docs/{DAG_ID}/{SPAN}/{name}"]
    addresses += [f"/retraining/run?dag_id={DAG_ID}&run_id=manual__1"]
    for address in addresses:
        found = get(viewer, address)
        assert not {"script", "img", "svg", "object", "embed", "link", "base", "input"} & set(found.tags) - {"input"}
        assert found.tags.count("iframe") <= 1
        assert not [name for name in found.attributes if name.startswith("on") or name == "style"]
        assert all(link.startswith("/retraining/") for link in found.links), found.links


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_addresses_are_dead_text(viewer, served, text):
    for parameters in ({"dag_id": text, "run_id": text}, {"dag_id": DAG_ID, "run_id": text}):
        answer = viewer.get("/retraining/run", params=parameters)
        found = Page(answer.text)
        assert not {"script", "img", "svg", "iframe", "object", "form", "input"} & set(found.tags)
        assert all(link.startswith("/retraining/") for link in found.links)
    for parameters in ({"dag_id": text}, {"outcome": text, "before": text}):
        found = Page(viewer.get("/retraining/data-docs", params=parameters).text)
        assert not {"script", "img", "svg", "iframe", "object"} & set(found.tags)
        assert all(link.startswith("/retraining/") for link in found.links)
