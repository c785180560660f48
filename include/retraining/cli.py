"""``python -m include.retraining``: what is in the store, in a terminal, without Airflow."""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from typing import Any

from include.retraining import connections, specs
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
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1


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
    found = records.summaries(connections.open_store(), asked.model)
    return _print(asked, [{name: row[name] for name in names} for row in found], f"{asked.model} has not run yet.")


def verify(asked: argparse.Namespace) -> int:
    """Check every hash, signature and chain link; status 1 if anything is broken."""
    from include.retraining import verifying

    found = verifying.verify(_registry(asked.model))
    rows = [{"key": finding.key, "problem": finding.problem} for finding in found.findings]
    _print(asked, rows, f"{asked.model}: {found.checked} objects checked; every hash, signature and link holds.")
    return 1 if rows else 0


def doctor(asked: argparse.Namespace) -> int:
    """Prove that the store honours put-if-absent and that every Connection and spec can be read."""
    from include.retraining.store import prove

    store = connections.open_store()
    prove(store)
    connections.open_keyring()
    lines = [{"what": "store", "state": "put-if-absent holds"}, {"what": "signing", "state": "a key is there"}]
    broken = 0
    for name, found in specs.load_all().items():
        wrong = isinstance(found, Exception)
        broken += wrong
        lines.append({"what": f"spec {name}", "state": str(found) if wrong else "loads"})
    _print(asked, lines, "")
    return 1 if broken else 0


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "versions": versions,
    "promotions": promotions,
    "runs": runs,
    "verify": verify,
    "doctor": doctor,
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m include.retraining", description=__doc__)
    parsers = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        one = parsers.add_parser(name, help=str(command.__doc__))
        one.set_defaults(command=command)
        one.add_argument("--json", action="store_true", help="print JSON instead of a table")
        if name != "doctor":
            one.add_argument("model", help="a model's name, as in include/models/")
    return parser


def _registry(model: str) -> Registry:
    specs.load(model)  # an unknown name is told before an empty table is
    return Registry(connections.open_store(), connections.open_keyring(), model)


def _print(asked: argparse.Namespace, rows: list[dict[str, Any]], nothing: str) -> int:
    if asked.json:
        print(json.dumps(rows, indent=2, default=str))
    elif not rows:
        print(nothing)
    else:
        columns = list(rows[0])
        table = [columns, *([_cell(row[column]) for column in columns] for row in rows)]
        widths = [max(len(line[place]) for line in table) for place in range(len(columns))]
        for line in table:
            print("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())
    return 0


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else ""
    if isinstance(value, float):
        return f"{value:.4f}"
    return "-" if value is None else str(value)
