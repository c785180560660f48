"""``python -m include.retraining init``: spec, query and suite for a table of one's own, and what was guessed."""

import argparse
import getpass
import json
import shlex
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from include.retraining import connections, specs
from include.retraining.errors import ConnectionInvalid, DataError
from include.retraining.policies import PSEUDONYMISE

if TYPE_CHECKING:
    from include.retraining.starting import Request, Started, Table


def init(asked: argparse.Namespace) -> int:
    """Write spec, query and suite for a table of one's own, and say what was guessed and why."""
    from include.retraining import files, starting

    request, is_file = _request(asked), asked.table is None and files.is_file(asked.source)
    if asked.rows:
        return _load_again(asked, is_file=is_file)
    starting.check(request)
    if is_file:
        return _from_file(asked, request, Path(asked.source).resolve())
    settings = connections.settings(asked.source)
    return _tell(asked, starting.start(request, _table(asked, settings), _now()), [])


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``init``."""
    add = parser.add_argument
    add("name", metavar="NAME", help="of the new model: lower-case letters, digits and _")
    add("--from", dest="source", required=True, metavar="FILE_OR_CONNECTION", help="CSV, Parquet or a Connection's id")
    add("--table", help="of the Connection")
    add("--time", metavar="COLUMN", help="the moment that a prediction is made at")
    add("--label", metavar="COLUMN", help="what is to be predicted")
    add("--key", metavar="COLUMNS", help="what names a row; comma between columns")
    add("--task", choices=("binary", "multiclass", "regression"), help="what the label is")
    add("--interval", choices=("hour", "day", "week"), help="how often to run, and how many rows make one interval")
    add(
        "--label-delay",
        dest="delay",
        metavar="TIME",
        help="from an interval's end until its labels are known: 36h, 1d",
    )
    add("--owner", help="who answers for the model; default: you")
    add("--rows", action="store_true", help="only load a file that has grown again; no other file is touched")
    add("--force", action="store_true", help="replace the files of an earlier init")


def _request(asked: argparse.Namespace) -> "Request":
    from include.retraining import guessing, sizing, starting

    key = tuple(name.strip() for name in asked.key.split(",") if name.strip()) if asked.key else ()
    delay = sizing.parse_delay(asked.delay) if asked.delay is not None else None
    options = guessing.Asked(asked.time, asked.label, key, asked.task)
    return starting.Request(
        asked.name, asked.owner or _user(), options, specs.FOLDER, asked.interval, delay, asked.force
    )


def _from_file(asked: argparse.Namespace, request: "Request", source: Path) -> int:
    """Load the file into a part that gets its name only when everything else has worked."""
    from include.retraining import files, starting

    with files.replacing(source) as part:
        found = starting.start(request, starting.of_file(request, source, part), _now())
    name = found.draft.connection
    connection = json.dumps({"conn_type": "sqlite", "host": str(files.copy_of(source))})
    if connections.remember(name, connection):
        steps = [f"Connection `{name}` was added to {connections.env_file()}: restart Airflow, which reads it then."]
    else:
        steps = [f"In every Airflow process: export AIRFLOW_CONN_{name.upper()}={shlex.quote(connection)}"]
    return _tell(asked, found, steps)


def _load_again(asked: argparse.Namespace, *, is_file: bool) -> int:
    from include.retraining import files

    source = Path(asked.source).resolve()
    if not is_file or not files.copy_of(source).exists():
        raise DataError(f"--rows: {asked.source} is no file that init has loaded before. Leave --rows out.")
    with files.replacing(source) as part:
        files.load(source, part)
    print(f"Loaded {source.name} again. If {asked.name}.py has an `end`, move it, so that runs see the new rows.")
    return 0


def _table(asked: argparse.Namespace, settings: connections.Settings) -> "Table":
    from include.retraining import starting, warehouse

    if settings.kind not in {"sqlite", "postgres", "postgresql"}:
        told = f"Connection `{settings.name}` is of type {settings.kind!r}, not sqlite or postgres."
        raise ConnectionInvalid(f"{told} Give another with --from.")
    if asked.table is None:
        there = ", ".join(warehouse.tables(settings)) or "none"
        raise DataError(f"Which table of Connection `{settings.name}`? Say it with --table; it has {there}.")
    return starting.Table(settings, asked.table, asked.table)


def _tell(asked: argparse.Namespace, found: "Started", steps: list[str]) -> int:
    if asked.json:
        draft = found.draft
        told = {"reasons": _reasons(found), "left_out": draft.roles.left_out, "privacy": draft.roles.privacy}
        told["dropped"] = draft.roles.dropped
        told |= {"refused": list(found.refused), "warned": found.warned, "next": _steps(found, steps)}
        print(json.dumps({"written": [str(path) for path in found.written], **told}, indent=2))
    else:
        print("\n".join([*_found(found), *_columns(found), *_suite(found), *_next(found, steps)]))
    return 0


def _reasons(found: "Started") -> dict[str, dict[str, str]]:
    draft, guess = found.draft, found.draft.guess
    values = {
        "--time": guess.time.source,
        "--label": guess.label.source,
        "--task": guess.task,
        "--key": ", ".join(one.source for one in guess.key),
        "--interval": draft.sizes.interval,
        "--label-delay": str(draft.sizes.delay).removesuffix(", 0:00:00"),
    }
    reasons = {**guess.reasons, **draft.sizes.reasons}
    return {option: {"taken": value, "because": reasons[option]} for option, value in values.items()}


def _found(found: "Started") -> Iterator[str]:
    draft, whole = found.draft, f"whole {found.draft.sizes.interval}s"
    start, end = (f"{moment:%Y-%m-%d %H:%M}" for moment in (draft.sizes.start, draft.sizes.end))
    yield f"{draft.name}: {found.rows:,} rows of {draft.table}, {whole} from {start} to {end} UTC."
    if found.without_moment:
        yield f"{found.without_moment:,} rows have no moment: no run will ever see them."
    outside = found.rows - found.without_moment - sum(rows for _, rows in draft.sizes.rows)
    if outside:
        yield f"{outside:,} rows lie before or after, or in an interval that is cut: no run will see them."
    yield "Taken (each can be said by its option):"
    for option, one in _reasons(found).items():
        yield f"  {option:<14}{one['taken']}  ({one['because']})"
    yield f"Windows: {draft.sizes.reasons['windows']}."


def _columns(found: "Started") -> Iterator[str]:
    roles = found.draft.roles
    for title, listed in (("Numbers", roles.numeric), ("Categories", roles.categorical)):
        yield f"{title} to predict from: {', '.join(one.source for one in listed) or 'none'}."
    sources = {one.name: one.source for one in [*roles.observed, *found.draft.guess.key]}
    for name, why in roles.dropped.items():
        yield f"Personal data? {name} is not even read: {why}."
    for name in roles.privacy:
        yield f"Personal data? {sources[name]} is pseudonymised: {roles.hidden[name]}."
    for name, why in roles.left_out.items():
        yield f"Left out: {name}: {why}."


def _suite(found: "Started") -> Iterator[str]:
    notes = found.suite["meta"]["notes"].removesuffix(".")
    yield f"Suite: {len(found.suite['expectations'])} expectations. {notes}."
    if found.refused:
        yield "A run would refuse some of the newest intervals as the suite stands:"
        yield from (f"  {one}" for one in found.refused)
    else:
        yield "The newest intervals meet all that is critical."
    if found.warned:
        many = "1 expectation" if len(found.warned) == 1 else f"{len(found.warned)} expectations"
        yield f"A run would warn of {many} on the newest intervals as the suite stands:"
        yield from (f"  {name}: {', '.join(days)}" for name, days in found.warned.items())


def _next(found: "Started", steps: list[str]) -> Iterator[str]:
    yield f"Written: {', '.join(path.name for path in found.written)} in {found.written[0].parent}."
    yield "Next:"
    yield from (f"  {number}. {text}" for number, text in enumerate(_steps(found, steps), start=1))


def _steps(found: "Started", steps: list[str]) -> list[str]:
    """Return what is left to do by hand, in order."""
    draft, told = found.draft, [*steps]
    if missing := [name for name in (connections.STORE, connections.SIGNING) if not _is_there(name)]:
        names = " and ".join(f"`{name}`" for name in missing)
        told.append(f"Connection {names} missing: README lists what each holds, and `make demo` makes both.")
    if PSEUDONYMISE in draft.roles.privacy.values() and not _has_pseudonyms():
        told.append(
            "Connection `pseudonyms` is missing: give it a secret as password, or change `privacy` in the spec. "
            """export AIRFLOW_CONN_PSEUDONYMS='{"conn_type": "generic", "password": "…"}'"""
        )
    if found.refused:
        told.append(f"Mend {found.written[2].name} or the rows: the run of an interval named above would be blocked.")
    told.append(f"Look at {draft.name}.py: is anything known only after {draft.guess.time.source}? Is the delay right?")
    told.append(
        f"In the Airflow UI switch retrain_{draft.name} on and trigger it, or where Airflow runs: "
        f"airflow dags unpause retrain_{draft.name} && airflow dags trigger retrain_{draft.name}"
    )
    return told


def _is_there(name: str) -> bool:
    try:
        connections.settings(name)
    except ConnectionInvalid:
        return False
    return True


def _has_pseudonyms() -> bool:
    try:
        return bool(connections.settings(connections.PSEUDONYMS).password)
    except ConnectionInvalid:
        return False


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container whose user has no name
        return "nobody yet"


def _now() -> datetime:
    from include.retraining.intake import now_utc

    return now_utc()
