"""Door: one message per decision and per failure, through the Airflow notifier that the spec names."""

import logging
from collections.abc import Sequence
from typing import Any

from airflow.sdk import get_current_context
from airflow.sdk.bases.notifier import BaseNotifier
from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance
from airflow.sdk.module_loading import import_string

from include.retraining.errors import BadInput
from include.retraining.spec import ModelSpec

log = logging.getLogger(__name__)
SEVERITIES = {"blocked": "error", "failed": "error", "insufficient data": "warning", "rolled back": "warning"}
LEVELS = {"info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


class LogNotifier(BaseNotifier):  # type: ignore[misc]
    """Writes the message to the task's log; the default, since it needs no account anywhere."""

    template_fields: Sequence[str] = ("message", "severity")

    def __init__(
        self, message: str = "{{ retraining.message }}", severity: str = "{{ retraining.severity }}", **arguments: Any
    ) -> None:
        super().__init__(**arguments)
        self.message = message
        self.severity = severity

    def notify(self, context: Any) -> None:
        """Log the message at its severity."""
        log.log(LEVELS.get(self.severity, logging.INFO), self.message)


def failed_tasks(model: str, run_id: str | None) -> list[str]:
    """Return the ids of this run's tasks that failed; mapped ones with their index."""
    states = RuntimeTaskInstance.get_task_states(dag_id=f"retrain_{model}", run_ids=[str(run_id)])
    return sorted(task for task, state in states.get(str(run_id), {}).items() if state == "failed")


def message(spec: ModelSpec, found: dict[str, Any]) -> str:
    """Return what people read: model, interval, answer, two sentences, champion."""
    sentences = " ".join(found["sentences"])
    champion = f"Champion: {found['champion'] or 'none yet'}."
    return f"{spec.name} {found['interval']}: {found['answer']}. {sentences} {champion} (run {found['run']})"


def send_last(spec: ModelSpec, found: dict[str, Any], error: Exception) -> None:
    """Send the message of a run about an error that no further try will mend."""
    tell_last(spec, message(spec, found), SEVERITIES.get(found["answer"], "info"), error)


def tell_last(spec: ModelSpec, text: str, severity: str, error: Exception) -> None:
    """Send a message about an error that no further try of this task will mend; earlier tries stay silent."""
    task = get_current_context()["ti"]
    if isinstance(error, BadInput) or task.try_number > task.max_tries:
        tell(spec, text, severity)


def send(spec: ModelSpec, found: dict[str, Any]) -> None:
    """Send the one message of a run."""
    tell(spec, message(spec, found), SEVERITIES.get(found["answer"], "info"))


def tell(spec: ModelSpec, text: str, severity: str) -> None:
    """Send a message of a severity: info, warning or error. One that fails is logged and never fails the task."""
    extra = {"message": text, "model": spec.name, "severity": severity}
    try:
        notifier = import_string(spec.notifier)(**spec.notifier_arguments)
        notifier({**get_current_context(), "retraining": extra})
    except Exception:  # the task has done its work; only the telling failed
        log.exception("The message could not be sent through %s: %s", spec.notifier, text)
