"""Pure: which column of a table is the moment, the label and the key, and which task that makes; or what to ask."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from include.retraining import personal
from include.retraining.errors import SpecError
from include.retraining.labelling import MOST_CLASSES
from include.retraining.looks import MOMENT, NUMBER, TEXT, Look
from include.retraining.policies import BINARY, MULTICLASS, REGRESSION

TIMES = {"time", "timestamp", "ts", "datetime", "date", "event_time", "event_date", "created_at", "occurred_at", "when"}
LABELS = {"label", "target", "y", "outcome", "class", "response"}
PAIRS = {"yes": "no", "y": "n", "true": "false", "t": "f", "positive": "negative", "pos": "neg", "1": "0", "on": "off"}
"""Words for 1, each with its word for 0."""
MOST_COUNTED = 20
"""A whole number with at most so many values may count or name: nobody but its user knows."""
MOST_KEYS = 5
NAMED = 12
ENDS = {"id", "uuid", "guid", "key", "number", "nr", "no"}
"""How names of columns that name rows end."""
Doubled = Callable[[tuple[str, ...]], int]
"""Says how many keys stand twice in the whole table, of columns by their names there."""


@dataclass(frozen=True)
class Asked:
    """What the user has said; None is guessed."""

    time: str | None = None
    label: str | None = None
    key: tuple[str, ...] = ()
    task: str | None = None
    line: str | None = None
    """A column that numbers the lines of a file: a key where there is no better one, and nothing else."""


@dataclass
class Guess:
    """What a table is about, with the reason of every guess."""

    time: Look
    label: Look
    task: str
    one: str | float | None
    """The label's value that is 1, where its two values are not 0 and 1."""
    key: tuple[Look, ...]
    reasons: dict[str, str] = field(default_factory=dict)
    """By option: what was taken, and why."""


def guess(columns: Sequence[Look], asked: Asked, doubled: Doubled) -> Guess:
    """Return what a table is about; raises SpecError where a guess is ambiguous, naming candidates and the option.

    Parameters
    ----------
    columns : sequence of Look
        Of a sample of the table.
    asked : Asked
        Given options are taken as they are.
    doubled : callable
        Counts the keys of columns that stand in more than one row.
    """
    own = [one for one in columns if one.source != asked.line]
    time, why_time = _time(own, asked.time)
    label, why_label = _label(own, asked.label)
    task, why_task = _task(label, asked.task)
    if asked.key:
        key, why_key = _given_key(columns, asked.key, label, doubled)
    else:
        line = next((one for one in columns if one.source == asked.line), None)
        key, why_key = _key([one for one in own if one is not label], time, line, doubled)
    reasons = {"--time": why_time, "--label": why_label, "--task": why_task, "--key": why_key}
    return Guess(time, label, task, _one(label, task), key, reasons)


def named(columns: Sequence[Look], name: str, option: str) -> Look:
    """Return the column of a name; raises SpecError, listing the columns."""
    for column in columns:
        if name in (column.source, column.name):
            return column
    raise SpecError(f"{option}: there is no column {name!r}. Give one of {told(columns)}.")


def told(columns: Sequence[Look]) -> str:
    """Return names as a list for people."""
    names = ", ".join(repr(one.source) for one in columns[:NAMED])
    return names + (f" and {len(columns) - NAMED} more" if len(columns) > NAMED else "")


def _time(columns: Sequence[Look], asked: str | None) -> tuple[Look, str]:
    moments = [one for one in columns if one.kind == MOMENT]
    if asked is not None:
        found = named(columns, asked, "--time")
        if found.kind != MOMENT:
            raise SpecError(
                f"--time: {found.source!r} holds no moments (like {_example(found)}). Give a column of timestamps, or "
                f"of texts like 2024-01-31 12:00:00{f'; candidates: {told(moments)}' if moments else ''}."
            )
        return found, "as asked"
    if not moments:
        raise SpecError(
            "No column holds moments: timestamps, or texts like 2024-01-31 or 2024-01-31 12:00:00. Every row needs the "
            f"moment that its prediction is made at. Add one to the table; it has {told(columns)}."
        )
    if len(moments) == 1:
        return moments[0], "the only column of moments"
    usual = [one for one in moments if one.name in TIMES]
    if len(usual) == 1:
        return usual[0], f"of {len(moments)} columns of moments, the one that is named so"
    raise SpecError(
        f"Several columns hold moments: {told(moments)}. Say with --time which one a prediction is made at; moments "
        "after it leak."
    )


def _label(columns: Sequence[Look], asked: str | None) -> tuple[Look, str]:
    if asked is not None:
        return named(columns, asked, "--label"), "as asked"
    columns = [one for one in columns if one.kind in {NUMBER, TEXT} and one.distinct > 1]
    usual = [one for one in columns if one.name in LABELS]
    if len(usual) == 1:
        return usual[0], "it is named so"
    two = [one for one in columns if one.distinct == 2]
    flags = [one for one in two if set(one.values.dropna()) <= {0, 1} or _pair(one)]
    if len(flags) == 1 and not usual:
        return flags[0], "the only column of yes and no"
    likely = usual or flags or columns
    raise SpecError(f"Which column is to be predicted is not obvious. Say it with --label; candidates: {told(likely)}.")


def _task(label: Look, asked: str | None) -> tuple[str, str]:
    if label.kind not in {NUMBER, TEXT}:
        raise SpecError(f"--label: {label.source!r} holds neither numbers nor texts. Give another.")
    values = sorted(label.values.dropna().unique().tolist())
    if len(values) < 2:
        raise SpecError(
            f"--label: {label.source!r} has {len(values)} different value(s): nothing to learn. Give another."
        )
    if asked is not None:
        _check_task(label, asked, len(values))
        return asked, "as asked"
    if len(values) == 2 and (label.kind == NUMBER or _pair(label)):
        return BINARY, f"{label.source!r} has two values, {_example(label)}"
    if label.kind == TEXT and len(values) <= MOST_CLASSES:
        two = "; none of the two says yes" if len(values) == 2 else ""
        return MULTICLASS, f"{label.source!r} has {len(values)} words{two}"
    if label.kind == NUMBER and not (label.is_whole and len(values) <= MOST_COUNTED):
        return REGRESSION, f"{label.source!r} is a number with {len(values):,} values in the sample"
    if label.kind == NUMBER:
        raise SpecError(
            f"{label.source!r} has {len(values)} whole numbers, {_example(label)}: classes or a quantity? Say "
            "--task multiclass or --task regression."
        )
    raise SpecError(
        f"--label: {label.source!r} has {len(values):,} different values in the sample that are no numbers; at most "
        f"{MOST_CLASSES} classes can be learned. Give another."
    )


def _check_task(label: Look, task: str, many: int) -> None:
    if task == BINARY and (many != 2 or (label.kind != NUMBER and not _pair(label))):
        raise SpecError(
            f"--task binary: {label.source!r} has {many} values, {_example(label)}; expected two, such as 0 and 1 or "
            "yes and no. Give --task multiclass, or make it 0 and 1."
        )
    if task == REGRESSION and label.kind != NUMBER:
        raise SpecError(
            f"--task regression: {label.source!r} holds {label.kind}s, like {_example(label)}. Give a number."
        )
    if task == MULTICLASS and many > MOST_CLASSES:
        raise SpecError(
            f"--task multiclass: {label.source!r} has {many:,} values; at most {MOST_CLASSES} can be learned."
        )


def _one(label: Look, task: str) -> str | float | None:
    if task != BINARY:
        return None
    values = label.values.dropna().unique().tolist()
    if label.kind == TEXT:
        return _pair(label)
    return None if set(values) == {0, 1} else float(max(values))


def _pair(label: Look) -> str | None:
    """Return the word for 1 of a column that holds such a word and its word for 0, in lower case."""
    if label.kind != TEXT:
        return None
    words = {str(one).strip().lower() for one in label.values.dropna().unique()}
    return next((yes for yes, no in PAIRS.items() if words == {yes, no}), None)


def _given_key(
    columns: Sequence[Look], asked: tuple[str, ...], label: Look, doubled: Doubled
) -> tuple[tuple[Look, ...], str]:
    key = tuple(named(columns, name, "--key") for name in asked)
    if label in key:
        raise SpecError(f"--key: {label.source!r} is the label, which is not known yet when a row is. Leave it out.")
    if twice := doubled(tuple(one.source for one in key)):
        raise SpecError(f"--key: {twice:,} values of {told(key)} stand in more than one row. Add a column to --key.")
    return key, "as asked; no two rows have the same"


def _key(columns: Sequence[Look], time: Look, line: Look | None, doubled: Doubled) -> tuple[tuple[Look, ...], str]:
    able = [one for one in columns if one is not time and _names_rows(one) and not personal.about(one)]
    single = [one for one in able if one.is_unique and _is_name(one) and not doubled((one.source,))]
    usual = [one for one in single if ENDS & set(one.words[-1:])] or single
    if len(usual) == 1:
        return (usual[0],), "no two rows have the same"
    if usual:
        raise SpecError(f"Several columns name each row: {told(usual)}. Say with --key which one does for good.")
    ordered = sorted(able, key=lambda one: (not _is_name(one), -one.distinct))
    tried = [one for one in ordered if line is None or _is_name(one)][: MOST_KEYS - 1]
    for many in range(len(tried) + 1):
        key = (*tried[:many], time)
        if not doubled(tuple(one.source for one in key)):
            kept = _without_needless(key, doubled)
            return kept, "together they name each row" if len(kept) > 1 else "no two rows have the same moment"
    if line is not None:
        why = f"the line in the file, since no column names a row{_nearly(able, doubled)}"
        return (line,), f"{why}: only ever add lines at its end"
    raise SpecError(
        f"No column names a row, and neither do {told([*tried, time])} together. Say with --key what does (columns, "
        "comma between), or add such a column."
    )


def _without_needless(key: tuple[Look, ...], doubled: Doubled) -> tuple[Look, ...]:
    for one in key[:-1]:
        left = tuple(other for other in key if other is not one)
        if len(left) > 1 and not doubled(tuple(other.source for other in left)):
            key = left
    return key


def _names_rows(column: Look) -> bool:
    return not column.empty and column.distinct > 1 and (column.kind in {TEXT, MOMENT} or column.is_whole)


def _nearly(columns: Sequence[Look], doubled: Doubled) -> str:
    """Return which column would name the rows if some of its values did not stand twice."""
    named = [(doubled((one.source,)), one.source) for one in columns if ENDS & set(one.words)]
    if not named:
        return ""
    twice, source = min(named)
    return f" ({twice:,} values of {source!r} stand in more than one: mend them, then say --key {source})"


def _is_name(column: Look) -> bool:
    """Return whether a column may name things: texts do, numbers are measured unless their name says that they do."""
    return column.kind == TEXT or bool(ENDS & set(column.words)) or column.distinct == len(column.values)


def _example(column: Look) -> str:
    values = column.values.dropna().unique().tolist()[:3]
    return ", ".join(f"{one:g}" if isinstance(one, float) else repr(str(one)[:40]) for one in values)
