"""A table becomes a model: what is guessed is drafted, read through the warehouse door, and only then written."""

import importlib.util
import json
import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from include.retraining import (
    binding,
    default_expectations,
    derived,
    dialects,
    drafting,
    expectations,
    files,
    guessing,
    labelling,
    looks,
    privacy,
    proposing,
    roles,
    sizing,
    warehouse,
)
from include.retraining.connections import Settings
from include.retraining.drafting import Draft
from include.retraining.errors import DataError, SpecError
from include.retraining.expectations import Suite
from include.retraining.guessing import Asked
from include.retraining.sizing import Sizes
from include.retraining.spec import ModelSpec
from include.retraining.validation import FAIL, About, validate
from include.retraining.windows import Interval

SAMPLE_ROWS = 20_000
LEARNED = 28
"""Four of each weekday."""
FEWEST_LEARNED, LEARNED_ROWS = 7, 200_000
"""Beyond so many intervals no more rows than these are held in memory."""
TRIED = 3
"""So many newest intervals the suite is tried on."""
NAME = re.compile(r"[a-z][a-z0-9_]{0,40}")
STANDS_IN = "no secret: nothing of it is kept"


@dataclass(frozen=True)
class Request:
    """What the user has said."""

    name: str
    owner: str
    asked: Asked
    folder: Path
    interval: str | None = None
    delay: timedelta | None = None
    force: bool = False


@dataclass(frozen=True)
class Table:
    """Where the rows lie."""

    settings: Settings
    name: str
    told: str
    """As people name it."""
    line: str | None = None
    """The column of line numbers, of a file."""


@dataclass(frozen=True)
class Started:
    """What was found and written."""

    draft: Draft
    rows: int
    without_moment: int
    written: tuple[Path, ...]
    suite: dict[str, Any]
    refused: tuple[str, ...]
    """What a run would refuse of the newest intervals, and why."""
    warned: dict[str, list[str]]
    """Which expectations a run would warn of, and on which of the newest intervals."""


def check(request: Request) -> None:
    """Raise SpecError if the name cannot be a model's, or a file of that name is there and not to be replaced."""
    if not NAME.fullmatch(request.name):
        raise SpecError(
            f"Name {request.name!r} cannot be a model's: it becomes part of DAG ids and keys. Give up to 40 lower-case "
            "letters, digits and `_`, a letter first."
        )
    there = [path.name for path in _paths(request) if path.exists()]
    if there and not request.force:
        raise SpecError(f"{', '.join(there)} exist in {request.folder}. Give another name, or add --force to replace.")


def of_file(request: Request, source: Path, part: Path) -> Table:
    """Load a file into a part, which `start` turns into the SQLite file beside it, and return its table."""
    line = files.load(source, part)
    return Table(Settings(f"{request.name}_file", dialects.SQLITE, host=str(part)), files.TABLE, source.name, line)


def start(request: Request, table: Table, now: datetime) -> Started:
    """Write spec, query and suite of a table, all or none.

    Parameters
    ----------
    request : Request
        Passed `check`.
    table : Table
    now : datetime
        Aware; tells a table that still grows from one that has ended.

    Raises
    ------
    SpecError, DataError
        A guess is ambiguous, or the rows cannot carry a model; nothing is written.
    """
    draft, rows, without = _draft(request, table, now)
    with tempfile.TemporaryDirectory(prefix="retraining-init-") as made:
        folder = Path(made)
        spec = _staged(draft, folder)
        suite = _suite(spec, table.settings, draft.sizes)
        texts = [drafting.spec_file(draft), drafting.query_file(draft), proposing.render(suite)]
        tried = list(_tried(spec, table.settings, expectations.parse(suite, "the proposed suite"), draft.sizes))
    written = _paths(request)
    _install(dict(zip(written, texts, strict=True)))
    return Started(draft, rows, without, written, suite, _refused(tried), _warned(tried))


def _paths(request: Request) -> tuple[Path, Path, Path]:
    name, folder = request.name, request.folder
    return folder / f"{name}.py", folder / f"{name}.sql", folder / (name + drafting.SUITE)


def _draft(request: Request, table: Table, now: datetime) -> tuple[Draft, int, int]:
    settings = table.settings
    types = warehouse.columns(settings, table.name)
    rows, frame = warehouse.sample(settings, table.name, SAMPLE_ROWS)
    if not rows:
        raise DataError(f"{table.told} has no rows. Give a table with rows.")
    columns = looks.look(frame, types)
    asked = replace(request.asked, line=table.line)
    guess = guessing.guess(columns, asked, lambda key: warehouse.doubled(settings, table.name, key))
    columns = [one for one in columns if one.source != table.line]
    found = roles.assign(columns, guess)
    if not found.numeric and not found.categorical:
        why = "; ".join(f"{name}: {reason}" for name, reason in {**found.dropped, **found.left_out}.items())
        raise SpecError(f"No column of {table.told} is left to predict from. Left out: {why or 'none'}. Add features.")
    spelling = dialects.spelled(
        settings.kind, f"t.{warehouse.quoted(settings, guess.time.source)}", guess.time.sql_type, guess.time.example
    )
    hours = warehouse.hours(settings, table.name, spelling, guess.label.source)
    sizes = sizing.size(hours, request.interval, request.delay, roles.settles(columns, guess))
    draft = Draft(
        name=request.name,
        owner=request.owner,
        connection=settings.name,
        server=settings.kind,
        table=table.told,
        place=warehouse.reference(settings, table.name),
        quote=lambda name: warehouse.quoted(settings, name),
        spelling=spelling,
        guess=guess,
        roles=found,
        sizes=sizes,
        has_end=table.line is not None or sizes.end + 3 * sizing.LENGTH[sizes.interval] < now,
    )
    return draft, rows, int(hours.loc[hours["hour"].isna(), "rows"].sum())


def _staged(draft: Draft, folder: Path) -> ModelSpec:
    """Write the drafts where nobody sees them, and return the spec as Python reads it."""
    module = folder / f"{draft.name}.py"
    module.write_text(drafting.spec_file(draft), encoding="utf-8")
    module.with_suffix(".sql").write_text(drafting.query_file(draft), encoding="utf-8")
    (folder / (draft.name + drafting.SUITE)).write_text(json.dumps({"name": draft.name, "expectations": []}))
    found = importlib.util.spec_from_file_location(f"draft_of_{draft.name}", module)
    if found is None or found.loader is None:
        raise SpecError(f"{module} cannot be loaded.")
    loaded = importlib.util.module_from_spec(found)
    found.loader.exec_module(loaded)
    spec: ModelSpec = loaded.SPEC
    return spec


def _suite(spec: ModelSpec, settings: Settings, sizes: Sizes) -> dict[str, Any]:
    """Return a suite proposed from the first labelled intervals, as a run would read them."""
    counts = dict(sizes.rows)
    enough = [one for one in sizes.labelled if counts[one] >= spec.windows.minimum_rows][:LEARNED]
    snapshots: list[tuple[Interval, pd.DataFrame]] = []
    labels: list[tuple[Interval, pd.DataFrame]] = []
    total = 0
    for interval in enough:
        total += counts[interval]
        if len(snapshots) >= FEWEST_LEARNED and total > LEARNED_ROWS:
            break
        frame = _read(spec, settings, interval, sizes.end)
        snapshots.append((interval, frame[list(spec.stored)]))
        labels.append((interval, labelling.label_frame(frame, spec)))
    complete = [(one, frame) for one, frame in labels
                if labelling.completeness(frame) >= spec.windows.minimum_completeness]  # fmt: skip
    return proposing.propose(spec, snapshots, complete)


def _read(spec: ModelSpec, settings: Settings, interval: Interval, as_of: datetime) -> pd.DataFrame:
    return privacy.private_view(warehouse.read(settings, spec, interval, as_of), spec, STANDS_IN)


def _tried(spec: ModelSpec, settings: Settings, suite: Suite, sizes: Sizes) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the newest intervals with what validation finds in them, by the suite and by what is expected anyway."""
    halves = [default_expectations.complete(half(suite), spec)
              for half in (expectations.for_snapshot, expectations.for_labels)]  # fmt: skip
    past: dict[str, list[binding.Earlier]] = {half.on: [] for half in halves}
    for interval in _newest(spec, sizes):
        frame = _read(spec, settings, interval, sizes.end)
        rows, labels = frame[list(spec.stored)].reset_index(drop=True), labelling.label_frame(frame, spec)
        for half, judged in zip(halves, (rows, labels.reset_index(drop=True)), strict=True):
            beside = derived.telltales(rows, judged, spec) if half.on == expectations.LABELS else None
            about = About(spec.name, interval, "0" * 64, spec.pseudonymised, spec.timezone, tuple(past[half.on]))
            result = validate(judged, half, about, beside).result
            past[half.on].append(binding.earlier(interval, result))
            yield f"{interval.start:%Y-%m-%d %H:%M}", result


def _refused(tried: Sequence[tuple[str, dict[str, Any]]]) -> tuple[str, ...]:
    return tuple(f"{begun}: {result['sentence']}" for begun, result in tried if result["outcome"] == FAIL)


def _warned(tried: Sequence[tuple[str, dict[str, Any]]]) -> dict[str, list[str]]:
    """Return the expectations of severity warning that did not hold, each with the intervals."""
    warned: dict[str, list[str]] = {}
    for begun, result in tried:
        for row in result["expectations"]:
            if row["severity"] == expectations.WARNING and not row["success"]:
                name = row["type"].removeprefix("expect_").removeprefix("column_")
                warned.setdefault(f"{name} ({row['column']})" if row["column"] else name, []).append(begun)
    return warned


def _newest(spec: ModelSpec, sizes: Sizes) -> Sequence[Interval]:
    counts = dict(sizes.rows)
    return [one for one in sizes.labelled if counts[one] >= spec.windows.minimum_rows][-TRIED:]


def _install(texts: dict[Path, str]) -> None:
    """Write all files or none: each beside its place first, then the spec last, for it alone makes a DAG."""
    before = {path: path.read_bytes() if path.exists() else None for path in texts}
    parts = {path: path.with_name(f"{path.name}.part") for path in texts}
    try:
        for path, text in texts.items():
            parts[path].write_text(text, encoding="utf-8")
        for path in reversed(texts):
            parts[path].replace(path)
    except OSError as error:
        for path, content in before.items():
            if content is None:
                path.unlink(missing_ok=True)
            else:
                path.write_bytes(content)
        raise SpecError(f"Nothing was written: {error}. Mend the folder {next(iter(texts)).parent}.") from None
    finally:
        for part in parts.values():
            if part.is_file():
                part.unlink()
