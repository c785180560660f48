"""A notifier as a user would write one: it appends each message to a file."""

from pathlib import Path
from typing import Any

from airflow.sdk.bases.notifier import BaseNotifier


class FileNotifier(BaseNotifier):
    """Appends the rendered message to a file."""

    template_fields = ("message",)

    def __init__(self, path: str, message: str = "{{ retraining.severity }}: {{ retraining.message }}") -> None:
        super().__init__()
        self.path = path
        self.message = message

    def notify(self, context: Any) -> None:
        with Path(self.path).open("a") as sink:
            sink.write(self.message + "\n")
