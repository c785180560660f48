"""What the pages say, and that what they say is text."""

import json
import re
import time
from pathlib import Path

import pytest

from include.retraining import keys, phrases, signing, specs
from tests.retraining.ui.conftest import DAG_ID, MODEL, failed_row
from tests.retraining.ui.reading import INSIDE, Page, get

SPAN = "20130208T050000Z--20130209T050000Z"
HOSTILE = json.loads((Path(__file__).parents[2] / "hostile.json").read_text())


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


def test_list_can_be_searched_and_keeps_what_is_looked_for(viewer, served, publish):
    for date in range(1, 9):
        publish(f"2013-02-0{date}", "warn" if date % 2 else "pass")
    page = get(viewer, f"/retraining/data-docs?dag_id={DAG_ID}&text=departed+february&outcome=warn")
    assert page.tags.count("tbody") == 4
    html = viewer.get(f"/retraining/data-docs?dag_id={DAG_ID}&text=departed+february&outcome=warn").text
    assert 'name="text" value="departed february"' in html
    assert '<option value="warn" selected>' in html
    empty = get(viewer, f"/retraining/data-docs?dag_id={DAG_ID}&text=august")
    assert "None of the 8 intervals looked at is what you look for. Show every interval." in empty.text


def test_list_can_be_filtered_by_what_did_not_hold(viewer, served, publish):
    publish("2013-02-07", "warn")
    publish("2013-02-08", "fail")
    html = viewer.get(f"/retraining/data-docs?dag_id={DAG_ID}").text
    options = dict(re.findall(r'<option value="([0-9a-f]{12})">([^<]+)</option>', html))
    assert list(options.values()) == [
        "origin: mean must be at least 0.9 (critical)",
        "departed: mean must be at least 0.9 (warning)",
    ]
    for chosen, words in options.items():
        page = get(viewer, f"/retraining/data-docs?dag_id={DAG_ID}&failed={chosen}")
        assert page.tags.count("tbody") == 1
        assert words.split(":")[0] in page.text
    unknown = viewer.get(f"/retraining/data-docs?dag_id={DAG_ID}&failed={'0' * 12}").text
    assert f'<option value="{"0" * 12}" selected>the one chosen</option>' in unknown
    assert "None of the 2 intervals" in unknown
    assert get(viewer, f"/retraining/data-docs?dag_id={DAG_ID}&failed=nonsense").tags.count("tbody") == 2


def test_what_is_looked_for_is_kept_from_page_to_page(viewer, served, publish):
    for number in range(40):
        publish(f"2013-0{1 + number // 28}-{1 + number % 28:02d}", "warn")
    first = viewer.get(f"/retraining/data-docs?dag_id={DAG_ID}&text=mean+%26+x&outcome=warn").text
    assert "None of the 40" in first
    first = viewer.get(f"/retraining/data-docs?dag_id={DAG_ID}&text=departed+mean&outcome=warn").text
    (older,) = re.findall(r'href="([^"]+before=[^"]+)"', first)
    second = viewer.get(older.replace("&amp;", "&"))
    assert second.text.count("<tbody>") == 9
    assert 'value="departed mean"' in second.text


def test_list_tells_what_was_set_aside_and_what_comes_with_the_product(viewer, served, publish):
    rows = [{**failed_row("departed"), "source": "default"}, failed_row("temp")]
    publish("2013-02-08", "warn", expectations=rows, quarantined={"rows": 12, "ratio": 0.004, "key": "k"})
    text = get(viewer, "/retraining/data-docs").text
    assert "12 rows set aside (0.4 %) departed: mean must be at least 0.9 (found 0.49) default temp: mean" in text
    assert "default marks an expectation that comes with the product" in text


def test_list_tells_which_page_is_of_an_earlier_validation(viewer, served, publish):
    publish("2013-02-08", "warn")
    interval = keys.parse_span(SPAN)
    result = served.get(keys.validation(MODEL, interval, "a" * 64, "f" * 64))
    time.sleep(0.02)
    served.put(keys.data_docs_page(MODEL, interval, "a" * 64, "0" * 64), b"page")
    served.put(keys.validation(MODEL, interval, "a" * 64, "0" * 64), result)
    assert get(viewer, "/retraining/data-docs").text.count("validated again since") == 1


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
    assert "Data Docs flight_delays Friday 8 February 2013 Passed with warnings Trends Earlier Later" in page.text
    assert f"/retraining/data-docs/{DAG_ID}/{SPAN}/{name}/raw" in page.links
    html = viewer.get(f"/retraining/data-docs/{DAG_ID}/{SPAN}/{name}").text
    assert '<iframe sandbox title="Data Docs of Friday 8 February 2013"' in html
    for link in set(page.links) - {"#content"}:
        assert viewer.get(link).status_code == 200, link


def test_links_keep_airflows_own_prefix(airflow_app, viewer, served, publish):
    from fastapi.testclient import TestClient

    publish("2013-02-08")
    behind = TestClient(airflow_app, root_path="/airflow", headers=viewer.headers)
    links = Page(behind.get("/airflow/retraining/data-docs").text).links
    assert links
    assert all(link.startswith(("/airflow/retraining/", "#content")) for link in links)


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


def hostile_row(text: str) -> dict[str, object]:
    row = {"type": text, "column": text, "severity": "critical", "success": False, "limit": text, "observed": text}
    return {**row, "notes": text, "examples": [text], "source": text, "number": text, "low": 0.1, "judged": text}


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_results_and_records_are_dead_text(viewer, served, publish, text):
    shown = phrases.visible(text)
    name = publish("2013-02-08", sentence=shown, expectations=[hostile_row(shown)], outcome="fail", on=shown)
    page = f"{keys.data_docs(MODEL, keys.parse_span(SPAN))}{name}"
    decision = {"answer": text, "sentences": [text, text]}
    record(served, "manual__1", {"validation": {"sentence": text, "page": page}, "decision": decision})
    addresses = ["/retraining/data-docs", f"/retraining/data-docs/{DAG_ID}/{SPAN}/{name}"]
    addresses += [f"/retraining/run?dag_id={DAG_ID}&run_id=manual__1"]
    for address in addresses:
        found = get(viewer, address)
        assert not {"script", "img", "svg", "object", "embed", "link", "base"} & set(found.tags)
        assert found.tags.count("iframe") <= 1
        assert found.tags.count("input") in (0, 2, 2 * len(specs.names())), "a search for each model that is listed"
        assert not [name for name in found.attributes if name.startswith("on") or name == "style"]
        assert all(link.startswith(INSIDE) for link in found.links), found.links


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_addresses_are_dead_text(viewer, served, publish, text):
    for parameters in ({"dag_id": text, "run_id": text}, {"dag_id": DAG_ID, "run_id": text}):
        answer = viewer.get("/retraining/run", params=parameters)
        found = Page(answer.text)
        assert not {"script", "img", "svg", "iframe", "object", "form", "input"} & set(found.tags)
        assert all(link.startswith(INSIDE) for link in found.links)
    publish("2013-02-08", "warn")
    harmless = Page(viewer.get("/retraining/data-docs", params={"dag_id": DAG_ID, "text": "nothing"}).text)
    for name in ("text", "outcome", "failed", "before"):
        answer = viewer.get("/retraining/data-docs", params={"dag_id": DAG_ID, name: text})
        found = Page(answer.text)
        assert answer.status_code == 200
        assert not {"script", "img", "svg", "iframe", "object"} & set(found.tags)
        assert found.attributes <= harmless.attributes | {"scope", "rowspan", "aria-label"}
        assert all(link.startswith(INSIDE) for link in found.links)
    assert Page(viewer.get("/retraining/data-docs", params={"dag_id": text}).text).tags.count("form") == 0


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_searches_come_back_as_they_were_typed(viewer, served, publish, text):
    publish("2013-02-08", "warn")
    found = Page(viewer.get("/retraining/data-docs", params={"dag_id": DAG_ID, "text": text}).text)
    kept = [value for name, value in found.values if name == "value" and value is not None]
    assert " ".join(text.split())[:100] in [" ".join(value.split()) for value in kept]
