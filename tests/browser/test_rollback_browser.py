"""The trigger dialog of the DAG `rollback`, as a person fills it in: it asks for the model and a reason only."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import run_of

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
    sent = run_of(page.url)
    page.close()
    assert sent.conf == {
        "model": "flight_delays",
        "version": "previously live",
        "reason": "Its chances are nonsense.",
        "dry_run": False,
    }
