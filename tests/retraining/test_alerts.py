"""Messages: what people read, at which severity, and that a message which cannot be sent fails nothing."""

import logging

import pytest

from include.retraining import alerts

FOUND = {
    "interval": "20130210T050000Z--20130211T050000Z",
    "answer": "keep",
    "sentences": ["3 of 14 intervals have passed.", "Champion v goes on serving."],
    "champion": "20130120-83295e053f80",
    "run": "scheduled__1",
}


def test_the_message_names_model_interval_answer_reasons_champion_and_run(spec) -> None:
    assert alerts.message(spec, FOUND) == (
        "flight_delays 20130210T050000Z--20130211T050000Z: keep. 3 of 14 intervals have passed. "
        "Champion v goes on serving. Champion: 20130120-83295e053f80. (run scheduled__1)"
    )


def test_before_the_first_version_it_says_so(spec) -> None:
    assert "Champion: none yet." in alerts.message(spec, {**FOUND, "champion": None})


@pytest.mark.parametrize(("severity", "level"), [("info", 20), ("warning", 30), ("error", 40)])
def test_the_default_notifier_logs_at_the_messages_severity(severity: str, level: int, caplog) -> None:
    with caplog.at_level(logging.INFO, logger=alerts.__name__):
        alerts.LogNotifier()({"retraining": {"message": "something happened", "severity": severity}})
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [(level, "something happened")]


def test_a_notifier_that_cannot_be_imported_is_logged_and_fails_nothing(spec, caplog) -> None:
    from dataclasses import replace

    alerts.send(replace(spec, notifier="no.such.Notifier"), FOUND)
    assert "could not be sent through no.such.Notifier" in caplog.text
