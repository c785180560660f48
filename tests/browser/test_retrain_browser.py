"""The trigger dialog of a model's DAG, as a newcomer sends it: with nothing filled in."""

import pytest
from playwright.sync_api import expect

from include.retraining.intake import FORM
from tests.browser.conftest import DAG_ID, run_of

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("ignore:module 'sre_:DeprecationWarning")]


def test_the_dialog_can_be_sent_as_it_opens(chromium, site):
    page = chromium.new_page(viewport={"width": 1280, "height": 1300})
    page.goto(f"{site}/dags/{DAG_ID}")
    page.get_by_role("button", name="Trigger").first.click()
    send = page.get_by_test_id("trigger-dag-submit")
    expect(page.get_by_role("button", name="Run", exact=True)).to_be_visible()
    expect(send).to_be_enabled()
    send.click()
    page.wait_for_url(f"**/dags/{DAG_ID}/runs/manual__2*")
    sent = run_of(page.url)
    page.close()
    assert sent.conf == FORM
