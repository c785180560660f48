"""Pure: what becomes of every other column: a feature, observed, hidden, or left out with the reason."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import pandas as pd

from include.retraining import derived, personal
from include.retraining.guessing import Guess
from include.retraining.looks import MOMENT, NUMBER, OTHER, TEXT, Look
from include.retraining.policies import BINARY, MULTICLASS, PSEUDONYMISE, REGRESSION

MOST_VALUES = 250
"""More different texts than this are names or sentences, no categories."""
MOSTLY_EMPTY = 0.95
LATER = 0.99
"""Share of rows in which a moment comes after another before it counts as later."""
DATED = 0.8
"""Share of rows in which a number is that of the date, in UTC: elsewhere days change at other hours."""
FEWEST_VOID = 20
"""So many rows without a label are needed to see what is empty with it."""


@dataclass
class Roles:
    """What becomes of each column; names are those of the query."""

    numeric: list[Look] = field(default_factory=list)
    categorical: list[Look] = field(default_factory=list)
    observed: list[Look] = field(default_factory=list)
    privacy: dict[str, str] = field(default_factory=dict)
    hidden: dict[str, str] = field(default_factory=dict)
    """Why a column is in ``privacy``."""
    dropped: dict[str, str] = field(default_factory=dict)
    """By the column's name in the table: what may be personal about it, so that it is not even read."""
    left_out: dict[str, str] = field(default_factory=dict)
    """By the column's name in the table: why it is not used."""


def assign(columns: Sequence[Look], guess: Guess) -> Roles:
    """Return the role of every column but the moment, the label and the key's; those of the key may be hidden."""
    roles = Roles()
    for column in guess.key:
        if column is not guess.time:
            _hide_key(column, roles)
    for column in (one for one in columns if one is not guess.time and one is not guess.label):
        if reason := _leak(column, guess) or _useless(column, guess):
            roles.left_out[column.source] = reason
        elif column not in guess.key:
            _place(column, roles)
        elif column.kind == TEXT and column.distinct <= MOST_VALUES and column.name not in roles.privacy:
            roles.categorical.append(column)
    for column in guess.key:
        roles.left_out.pop(column.source, None)
    return roles


def _hide_key(column: Look, roles: Roles) -> None:
    """Hide a key that is or may be somebody's: it cannot be dropped, since labels are joined by it."""
    what = personal.about(column)
    if what or personal.is_identifier(column):
        roles.privacy[column.name] = PSEUDONYMISE
        roles.hidden[column.name] = f"looks like {what}" if what else "names single things; labels are joined by it"


def _place(column: Look, roles: Roles) -> None:
    if what := personal.about(column):
        roles.dropped[column.source] = f"looks like {what}"
    elif personal.is_identifier(column):
        _observe(column, "names single things or people", roles)
    elif column.kind == NUMBER and "id" not in column.words[-1:]:
        roles.numeric.append(column)
    elif column.distinct <= MOST_VALUES:
        roles.categorical.append(column)
    elif column.values.dropna().astype("str").str.contains(r"\s", regex=True).mean() > 0.5:
        roles.dropped[column.source] = "free text may say anything about anybody"
    else:
        _observe(column, f"a code with {column.distinct:,} values in the sample", roles)


def _observe(column: Look, why: str, roles: Roles) -> None:
    """Keep a column beside the features, under pseudonyms."""
    roles.observed.append(column)
    roles.privacy[column.name], roles.hidden[column.name] = PSEUDONYMISE, why


def _leak(column: Look, guess: Guess) -> str | None:
    """Return why a column cannot have been known when a prediction is made, or None."""
    if column.kind == MOMENT:
        both = pd.DataFrame({"one": column.values, "time": guess.time.values}).dropna()
        if len(both) and float((both["one"] > both["time"]).mean()) > 1 - LATER:
            later = float((both["one"] > both["time"]).mean())
            return f"leaks: it lies after {guess.time.source!r} in {100 * later:.0f} % of the rows that have it"
        return None
    if column in guess.key:
        return None
    if _comes_with(column.values, guess.label.values):
        return "leaks: it is empty where the label is, so it becomes known with it"
    if column.kind in {NUMBER, TEXT} and _tells(column, guess):
        return f"leaks: by itself it tells {guess.label.source!r}"
    return None


def _comes_with(values: pd.Series, labels: pd.Series) -> bool:
    void = labels.isna()
    if int(void.sum()) < FEWEST_VOID or void.all():
        return False
    return float(values[void].isna().mean()) >= 0.8 and float(values[~void].isna().mean()) <= 0.01


def _tells(column: Look, guess: Guess) -> bool:
    known = guess.label.values.notna()
    values, labels = column.values[known], guess.label.values[known]
    if guess.task == BINARY:
        labels = pd.Series(pd.factorize(labels)[0], labels.index).astype("float64")
    elif guess.task == MULTICLASS:
        labels = labels.astype("str")
    is_number = column.kind == NUMBER
    told = derived.tells(values, labels, guess.task, is_number=is_number)
    # A number may name its class without ordering it.
    return told or (is_number and guess.task == BINARY and derived.tells(values, labels, guess.task, is_number=False))


def settles(columns: Iterable[Look], guess: Guess) -> tuple[str, timedelta] | None:
    """Return a later moment that comes with some labels only, and how long after the row it comes at the most.

    Until then nobody can tell a row that will have it from one that never will, so its label is not known.
    """
    waits = {}
    for column in columns:
        if column.kind == MOMENT and guess.task != REGRESSION and _comes_with_some(column.values, guess.label.values):
            after = (column.values - guess.time.values).dropna()
            if float((after > timedelta(0)).mean()) > LATER:
                waits[column.source] = after.max().to_pytimedelta()
    return max(waits.items(), key=lambda one: one[1], default=None)


def _comes_with_some(values: pd.Series, label: pd.Series) -> bool:
    """Return whether a column has a value for each row of some labels, and for none of the others."""
    known = label.notna()
    shares = values.notna()[known].groupby(label[known]).mean()
    return bool(((shares < 1 - LATER) | (shares > LATER)).all() and shares.max() > LATER and shares.min() < 1 - LATER)


def _useless(column: Look, guess: Guess) -> str | None:
    if column.kind == OTHER:
        return "its values are no numbers, texts or moments" if not column.values.isna().all() else "it is empty"
    if column.empty > MOSTLY_EMPTY:
        return f"empty in {100 * column.empty:.0f} % of the rows"
    if column.distinct < 2:
        return "it never varies"
    if column.kind == MOMENT:
        return "a moment; a feature would be a number made of it, such as an age in days"
    if _is_date_part(column, guess.time.values):
        return "a part of the date: no date comes twice"
    if column.is_unique and column.kind == NUMBER and column.is_whole and _counts_up(column.values, guess.time.values):
        return "it numbers the rows"
    return None


def _is_date_part(column: Look, moments: pd.Series) -> bool:
    """Return whether a column repeats the year, month or day of the moment, in some time zone."""
    named = [part for part in ("year", "month", "day") if part in column.words]
    if not named or column.kind != NUMBER:
        return False
    return float((column.values == getattr(moments.dt, named[-1])).mean()) > DATED


def _counts_up(values: pd.Series, moments: pd.Series) -> bool:
    """Return whether whole numbers rise with time: an index that a table or a file happens to have."""
    return abs(float(values.rank().corr(moments.rank()))) > LATER


def names(columns: Iterable[Look]) -> tuple[str, ...]:
    """Return the names of columns in the query."""
    return tuple(one.name for one in columns)
