"""`airflow standalone`, without its log servers: how to start it, and what is started.

Airflow 3.3.2: the scheduler and the triggerer each start a log server that listens on every address, which no option
confines to the loopback one. On one machine the API server reads the logs from disk, so nobody misses them.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from demo.processes import Child
from demo.settings import Layout, process_env

_FLAGS = {"scheduler": ["--skip-serve-logs"], "triggerer": ["--skip-serve-logs"]}


def start(where: Layout, env: Mapping[str, str]) -> Child:
    """Start Airflow with the generated settings; it is ready some seconds later."""
    command = [sys.executable, "-m", "demo.standalone"]
    return Child("Airflow", command, process_env(env), where.airflow_run, where.logs / "airflow.log")


def main() -> None:
    """Be Airflow: every part of it, until a signal."""
    from airflow.cli.commands import standalone_command

    part = standalone_command.SubCommand

    def quiet(parent: Any, name: str, command: list[str], env: dict[str, str]) -> Any:
        return part(parent, name, [*command, *_FLAGS.get(name, [])], env)

    standalone_command.SubCommand = quiet
    standalone_command.StandaloneCommand().run()


if __name__ == "__main__":
    main()
