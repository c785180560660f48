"""Pure: what was found out about a table becomes a spec file and a query file, as people write and review them."""

import json
import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from include.retraining import dialects
from include.retraining.dialects import Spelling
from include.retraining.guessing import Guess
from include.retraining.looks import MOMENT, TEXT, Look
from include.retraining.policies import BINARY, Windows
from include.retraining.roles import Roles, names
from include.retraining.sizing import DAILY, Sizes

WIDTH = 120
VOID = "void"
SUITE = "_suite.json"
"""How the name of a suite file ends, after the model's."""


@dataclass(frozen=True)
class Draft:
    """All that the files of a new model are made of."""

    name: str
    owner: str
    connection: str
    server: str
    """The Connection's type."""
    table: str
    """As people name it: a table, or a file."""
    place: str
    """As the query names it."""
    quote: Callable[[str], str]
    spelling: Spelling
    guess: Guess
    roles: Roles
    sizes: Sizes
    has_end: bool
    """Whether the table's rows end, and the model's schedule with them."""


def spec_file(draft: Draft) -> str:
    """Return the Python source of the spec."""
    lines = [*_opening(draft), *_fields(draft), ")", ""]
    return "\n".join(lines)


def query_file(draft: Draft) -> str:
    """Return the SQL of the query, with what was assumed as comments."""
    guess, roles, key = draft.guess, draft.roles, names(draft.guess.key)
    used = dict.fromkeys([*guess.key, guess.time, *roles.numeric, *roles.categorical, *roles.observed])
    shown = [_selected(draft, one) for one in used if one is not guess.label]
    order = ", ".join(draft.quote(name) for name in dict.fromkeys([guess.time.name, *key]))
    lines = [
        *(line for remark in _remarks(draft) for line in _comment(remark)),
        "SELECT",
        ",\n".join(f"    {one}" for one in [*shown, *_labels(draft)]),
        f"FROM {draft.place} AS t",
        f"WHERE {draft.spelling.within()}",
        f"ORDER BY {order}",
        "",
    ]
    return "\n".join(lines)


def _opening(draft: Draft) -> Iterator[str]:
    sizes, guess = draft.sizes, draft.guess
    imported = "ModelSpec, SqlSource"
    imported += ", ValidationPolicy" if _is_unfresh(draft) else ""
    imported += ", Windows" if sizes.windows != Windows() else ""
    yield f'"""Predict {_told(guess.label.source)} of each row of {_told(draft.table)}: a {guess.task} model."""'
    yield ""
    yield "from datetime import UTC, datetime, timedelta"
    yield "from pathlib import Path"
    yield ""
    yield f"from include.retraining.spec import {imported}"
    yield ""
    yield "HERE = Path(__file__).parent"
    yield ""
    yield "SPEC = ModelSpec("
    yield f"    name={_text(draft.name)},"
    yield f"    owner={_text(draft.owner)},"
    yield f"    purpose={_text(f'Predict {_told(guess.label.source)} of each row of {_told(draft.table)}.')},"
    yield f"    source=SqlSource(connection={_text(draft.connection)}, query=HERE / {_text(f'{draft.name}.sql')}),"
    yield f"    suite=HERE / {_text(draft.name + SUITE)},"
    yield f"    schedule={_text(sizes.cron)},"


def _fields(draft: Draft) -> Iterator[str]:
    sizes, guess, roles = draft.sizes, draft.guess, draft.roles
    if guess.task != BINARY:
        yield f"    task={_text(guess.task)},"
    yield f"    start={_moment(sizes.start)},"
    if draft.has_end:
        yield f"    end={_moment(sizes.end)},  # the newest whole {sizes.interval}; later where rows are added"
    yield f"    time_column={_text(guess.time.name)},"
    yield _tuple("key_columns", names(guess.key))
    yield _tuple("numeric", names(roles.numeric))
    yield _tuple("categorical", names(roles.categorical))
    if roles.observed:
        yield _tuple("observed", names(roles.observed))
    yield f"    label={_text(guess.label.name)},"
    if sizes.has_void:
        yield f"    void_column={_text(VOID)},"
    assumed = "  # assumed: say when labels become known" if "guess" in sizes.reasons["--label-delay"] else ""
    yield f"    label_delay={_duration(sizes.delay)},{assumed}"
    if roles.privacy:
        yield "    privacy={"
        yield from (
            f"        {_text(name)}: {_text(rule)},  # {roles.hidden[name]}" for name, rule in roles.privacy.items()
        )
        yield "    },"
    if sizes.windows != Windows():
        yield f"    windows={_windows(sizes.windows)},"
    if _is_unfresh(draft):
        yield '    validation=ValidationPolicy(fresh="off"),  # moments are dates: no row lies late in its day'


def _is_unfresh(draft: Draft) -> bool:
    return draft.sizes.is_dated and draft.sizes.interval == DAILY


def _remarks(draft: Draft) -> Iterator[str]:
    guess, sizes = draft.guess, draft.sizes
    yield f"One row for each row of {_told(draft.table)} in [start, end), as known at the as-of; see the spec."
    yield f"Time: {_told(guess.time.source)}, {guess.reasons['--time']}. Key: {guess.reasons['--key']}."
    yield f"Label: {_told(guess.label.source)}, {guess.reasons['--label']}; {_told(guess.reasons['--task'])}."
    yield f"Its delay: {sizes.reasons['--label-delay']}. Until then it is NULL here."
    if sizes.has_void:
        yield "No label after that time is void: none is expected any more."
    for source, why in draft.roles.dropped.items():
        yield f"Not read: {_told(source)}: {_told(why)}. To keep it, select it and name it in `observed` of the spec."
    for source, why in draft.roles.left_out.items():
        yield f"Left out: {_told(source)}: {_told(why)}."


def _comment(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent="-- ", subsequent_indent="--   ")


def _selected(draft: Draft, column: Look) -> str:
    expression = f"t.{draft.quote(column.source)}"
    if column is draft.guess.time:
        expression = draft.spelling.column
    elif column in draft.roles.categorical and column.kind != TEXT:
        expression = f"CAST({expression} AS VARCHAR(40))"
    elif column.kind != MOMENT and column.sql_type == "boolean" and draft.server != dialects.SQLITE:
        expression = f"CAST({expression} AS INTEGER)"
    return _aliased(draft, expression, column)


def _aliased(draft: Draft, expression: str, column: Look) -> str:
    same = expression == f"t.{draft.quote(column.name)}"
    return expression if same else f"{expression} AS {draft.quote(column.name)}"


def _labels(draft: Draft) -> Iterator[str]:
    known, source = dialects.known(draft.server, draft.sizes.delay), f"t.{draft.quote(draft.guess.label.source)}"
    value = _label_value(draft, source)
    yield f"CASE WHEN {known} THEN {value} END AS {draft.quote(draft.guess.label.name)}"
    if draft.sizes.has_void:
        yield f"CASE WHEN {known} AND {source} IS NULL THEN 1 ELSE 0 END AS {VOID}"


def _label_value(draft: Draft, source: str) -> str:
    label, one = draft.guess.label, draft.guess.one
    if isinstance(one, str):
        return f"CASE WHEN LOWER(TRIM({source})) = '{one}' THEN 1 WHEN {source} IS NOT NULL THEN 0 END"
    if one is not None:
        return f"CASE WHEN {source} = {one:g} THEN 1 WHEN {source} IS NOT NULL THEN 0 END"
    if label.sql_type == "boolean" and draft.server != dialects.SQLITE:
        return f"CAST({source} AS INTEGER)"
    return source


def _told(text: str) -> str:
    """Return a text that cannot end the comment or docstring it stands in."""
    return text.replace("\\", "/").replace('"""', "'''").replace("\n", " ")


def _text(value: str) -> str:
    r"""Return a Python string in double quotes, as formatters like it.

    >>> _text("it's"), _text('a "b"'), _text("ü")
    ('"it\'s"', '\'a "b"\'', '"ü"')
    """
    return repr(value) if '"' in value and "'" not in value else json.dumps(value, ensure_ascii=False)


def _tuple(field: str, values: Sequence[str]) -> str:
    texts = [_text(value) for value in values]
    flat = f"    {field}=({', '.join(texts)}{',' if len(texts) == 1 else ''}),"
    if len(flat) <= WIDTH:
        return flat
    return "\n".join([f"    {field}=(", *(f"        {text}," for text in texts), "    ),"])


def _moment(moment: datetime) -> str:
    clock = f", {moment.hour}" if moment.hour else ""
    return f"datetime({moment.year}, {moment.month}, {moment.day}{clock}, tzinfo=UTC)"


def _duration(delay: timedelta) -> str:
    """Return a timedelta as people write it.

    >>> _duration(timedelta(days=2)), _duration(timedelta(hours=36)), _duration(timedelta(0))
    ('timedelta(days=2)', 'timedelta(hours=36)', 'timedelta(0)')
    """
    if not delay:
        return "timedelta(0)"
    return f"timedelta(days={delay.days})" if not delay.seconds else f"timedelta(hours={delay // timedelta(hours=1)})"


def _windows(windows: Windows) -> str:
    usual = vars(Windows())
    changed = ", ".join(f"{name}={value}" for name, value in vars(windows).items() if value != usual[name])
    return f"Windows({changed})"
