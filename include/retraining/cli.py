"""``python -m include.retraining``: what is in the store, in a terminal, without Airflow."""

import argparse
import getpass
import json
import os
import secrets
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from include.retraining import connections, init_cli, replay_cli, rollback, specs, suite_cli, tables
from include.retraining.errors import RetrainingError
from include.retraining.registry import Registry


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status: 0 all is well, 1 something is wrong, 2 the call was."""
    parser = _parser()
    asked = parser.parse_args(arguments)
    connections.load_env_file()
    try:
        return int(asked.command(asked))
    except RetrainingError as error:
        return _tell(error)


def versions(asked: argparse.Namespace) -> int:
    """Print every version of a model, the champion marked."""
    registry = _registry(asked.model)
    head = registry.head()
    rows = []
    for version in registry.versions():
        manifest = registry.manifest(version)
        rows.append(
            {
                "version": version,
                "champion": bool(head and head.version == version),
                "candidate": manifest["candidate"],
                "trained": f"{manifest['training_window']['start'][:10]} to {manifest['training_window']['end'][:10]}",
                "rows": manifest["rows"],
                "run": manifest["run"].split("/")[3],
            }
        )
    return _print(asked, rows, f"{asked.model} has no version yet.")


def promotions(asked: argparse.Namespace) -> int:
    """Print the promotion log, its hash chain checked."""
    names = ("number", "action", "version", "previous_version", "effective_from", "actor", "reason")
    rows = [{name: entry.content[name] for name in names} for entry in _registry(asked.model).log()]
    return _print(asked, rows, f"Nothing of {asked.model} was ever promoted.")


def runs(asked: argparse.Namespace) -> int:
    """Print one line per run: rows, validation, loss, decision, champion."""
    from include.retraining import records

    names = ("start", "run", "rows", "validation", "champion_loss", "decision", "verdict", "version")
    found = records.summaries(connections.open_store(), specs.load(asked.model).name)
    return _print(asked, [{name: row[name] for name in names} for row in found], f"{asked.model} has not run yet.")


def verify(asked: argparse.Namespace) -> int:
    """Check every hash, signature and link of a model, or of all; status 1 if anything is wrong."""
    from include.retraining import verifying

    rows, status = [], 0
    for name in specs.names() if asked.all else [asked.model]:
        try:
            spec = specs.load(name)
            found = verifying.verify(connections.open_registry(spec), spec.retention)
        except RetrainingError as error:  # it must not hide what is wrong with the other models
            status = _tell(error)
            continue
        rows += [{"model": name, **asdict(one)} for one in found.findings]
        if not asked.json:
            print(verifying.describe(name, found))
    beside = verifying.strangers(connections.open_store(), specs.names()) if asked.all else ()
    rows += [{"model": None, **asdict(one)} for one in beside]
    if asked.json:
        print(json.dumps(rows, indent=2))
    elif beside:
        print("\n".join(map(verifying.told, beside)))
    return 1 if rows else status


def collect(asked: argparse.Namespace) -> int:
    """Print what maintenance would delete, and why everything else is kept; delete it with --delete."""
    from include.retraining import collecting

    spec = specs.load(asked.model)
    registry, done = connections.open_registry(spec), None
    if asked.delete:
        done = collecting.collect(registry, spec.retention, f"cli:{_os_user()}", asked.reason)
    plan = done.plan if done else collecting.survey(registry, spec.retention)
    deleted = [one.key for one in done.deleted] if done else []
    if asked.json:
        print(json.dumps({"plan": plan.rows(), "deleted": deleted, "record": done.record if done else None}, indent=2))
    else:
        print(collecting.describe(plan))
        print(done.sentence if done else "Dry run: nothing was deleted. Add --delete to delete it.")
    return 0


def reproduce(asked: argparse.Namespace) -> int:
    """Train a version again from what is stored; status 1 unless every prediction is the same."""
    from include.retraining import reproducing

    spec = specs.load(asked.model)
    found = reproducing.reproduce(connections.open_registry(spec), spec, asked.version)
    if asked.json:
        told = {"version": asked.version, "equal": found.is_equal, "sentence": found.sentence}
        print(json.dumps({**told, "comparisons": found.rows}, indent=2))
    else:
        print("\n".join([*tables.render(found.rows), "", found.sentence]))
    return 0 if found.is_equal else 1


def roll_back(asked: argparse.Namespace) -> int:
    """Make an earlier version the champion again; only the DAG `rollback` tells schedules that wait for a champion."""
    registry = _registry(asked.model)
    who, token = f"cli:{_os_user()}", secrets.token_hex(16)
    request = rollback.Request(asked.model, asked.to, rollback.one_line(asked.reason), who, token, asked.dry_run)
    planned = rollback.plan(registry, request)
    if not asked.json:
        print(rollback.describe(registry, planned))
    entry = None if request.is_dry else rollback.carry_out(registry, planned).number
    if asked.json:
        print(json.dumps({**asdict(planned), "entry": entry}, indent=2))
    else:
        print(f"Rolled back: entry {entry}." if entry else "Dry run: nothing was changed.")
    return 0


def quarantine(asked: argparse.Namespace) -> int:
    """Print what validation set aside by interval, or the rows of one with the reasons, personal columns hidden."""
    from include.retraining import aside

    store, spec = connections.open_store(), specs.load(asked.model)
    found = aside.rows(store, spec, asked.interval) if asked.interval else aside.listed(store, spec.name)
    return _print(asked, found, f"No row of {asked.model} was set aside.")


def doctor(asked: argparse.Namespace) -> int:
    """Prove what the store honours, and that keys, Connections and specs are there; status 1 if a check failed."""
    from include.retraining.doctor import examine, verdict
    from include.retraining.intake import now_utc
    from include.retraining.probes import FAILED

    found = examine(now_utc)
    rows = [{"check": one.check, "state": one.state, "required": one.is_required, "found": one.told} for one in found]
    _print(asked, rows, "")
    if not asked.json:
        print(verdict(found))
    return int(any(one.state == FAILED for one in found))


def _of_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", help="a model's name, as in include/models/")


def _of_version(parser: argparse.ArgumentParser) -> None:
    _of_model(parser)
    parser.add_argument("version", help="an id, as `versions` prints it")


def _of_rollback(parser: argparse.ArgumentParser) -> None:
    _of_model(parser)
    parser.add_argument("--reason", required=True, help="why; the promotion log keeps it for good")
    parser.add_argument("--to", default=rollback.PREVIOUS, metavar="VERSION", help="default: what was live before")
    parser.add_argument("--dry-run", action="store_true", help="check and print only")


def _of_verify(parser: argparse.ArgumentParser) -> None:
    chosen = parser.add_mutually_exclusive_group(required=True)
    chosen.add_argument("model", nargs="?", help="a model's name, as in include/models/")
    chosen.add_argument("--all", action="store_true", help="every model")


def _of_quarantine(parser: argparse.ArgumentParser) -> None:
    _of_model(parser)
    parser.add_argument("--interval", metavar="START--END", help="show the rows of one interval, as the list names it")


def _of_collect(parser: argparse.ArgumentParser) -> None:
    _of_model(parser)
    parser.add_argument("--delete", action="store_true", help="delete it; else nothing is changed")
    parser.add_argument("--reason", help="why; kept in the record of what was deleted")


def _of_nothing(_: argparse.ArgumentParser) -> None:
    """Add nothing: the command is about the whole installation."""


Command = tuple[Callable[[argparse.Namespace], int], Callable[[argparse.ArgumentParser], None]]
COMMANDS: dict[str, Command] = {
    "versions": (versions, _of_model),
    "promotions": (promotions, _of_model),
    "runs": (runs, _of_model),
    "verify": (verify, _of_verify),
    "collect": (collect, _of_collect),
    "reproduce": (reproduce, _of_version),
    "rollback": (roll_back, _of_rollback),
    "quarantine": (quarantine, _of_quarantine),
    "init": (init_cli.init, init_cli.add_options),
    "suite": (suite_cli.suite, suite_cli.add_actions),
    "replay": (replay_cli.replay, replay_cli.add_options),
    "doctor": (doctor, _of_nothing),
}
"""What each command runs, and which arguments it adds to ``--json``."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m include.retraining", description=__doc__)
    parsers = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, (command, add_arguments) in COMMANDS.items():
        one = parsers.add_parser(name, help=str(command.__doc__))
        one.set_defaults(command=command)
        one.add_argument("--json", action="store_true", help="print JSON instead of a table")
        add_arguments(one)
    return parser


def _registry(model: str) -> Registry:
    return connections.open_registry(specs.load(model))


def _print(asked: argparse.Namespace, rows: list[dict[str, Any]], nothing: str) -> int:
    if asked.json:
        print(json.dumps(rows, indent=2, default=str))
    elif not rows:
        print(nothing)
    else:
        print("\n".join(tables.render(rows)))
    return 0


def _tell(error: RetrainingError) -> int:
    print(f"{type(error).__name__}: {error}", file=sys.stderr)
    return 1


def _os_user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container whose user has no name
        return str(os.getuid())
