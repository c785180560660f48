"""The trigger dialog of the DAG `rollback`, as a person fills it in: it asks for the model and a reason only."""

import pytest
from playwright.sync_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("ignore:module 'sre_:DeprecationWarning")]


def test_the_dialog_can_be_sent_once_there_are_a_model_and_a_reason(chromium, site):
    page = chromium.new_page(viewport={"width": 1280, "height": 1300})
    page.goto(f"{site}/dags/rollback")
    page.get_by_role("button", name="Trigger").first.click()
    reason, send = page.locator("[name=element_reason]"), page.get_by_test_id("trigger-dag-submit")
    expect(reason).to_be_visible()
    expect(page.locator("[name=element_version]")).to_have_value("previously live")
    expect(send).to_be_disabled()
    reason.fill("Its chances are nonsense.")
    expect(send).to_be_disabled()
    page.locator("#element_model").click()
    page.get_by_role("option", name="flight_delays").click()
    expect(send).to_be_enabled()
    send.click()
    page.wait_for_url("**/dags/rollback/runs/manual__*")
    run_id = page.url.rpartition("/")[2].split("?")[0]
    page.close()
    assert conf_of(run_id) == {
        "model": "flight_delays",
        "version": "previously live",
        "reason": "Its chances are nonsense.",
        "dry_run": False,
    }


def conf_of(run_id: str) -> dict[str, object]:
    """Return what the dialog sent, from Airflow's database."""
    from urllib.parse import unquote

    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session

    with create_session() as session:
        return session.query(DagRun).filter(DagRun.dag_id == "rollback", DagRun.run_id == unquote(run_id)).one().conf
