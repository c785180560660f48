"""Pure: what a table's columns look like in a sample: moments, numbers, texts, and how many values of them."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pandas as pd

from include.retraining.errors import DataError

MOMENT, NUMBER, TEXT, OTHER = "moment", "number", "text", "other"
NUMBERS = {"integer", "floating", "decimal", "mixed-integer-float", "boolean"}
MOMENTS = {"datetime", "datetime64", "date"}
ISO = re.compile(r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d(:?\d\d)?)?)?")
WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
RESERVED = {"status", "void"}
"""Names of columns that the product adds itself."""


@dataclass(frozen=True, eq=False)
class Look:
    """One column, as a sample of its rows shows it."""

    source: str
    """Its name in the table."""
    name: str
    """Its name in the query: the same where that is a plain word."""
    kind: str
    """``moment``, ``number``, ``text`` or ``other``."""
    values: pd.Series
    """Moments in UTC, float64, or as they are."""
    sql_type: str
    example: str | None = None
    """One value, where moments are texts."""

    @property
    def words(self) -> list[str]:
        """Return the name's words in lower case.

        >>> Look("CustomerID", "customerid", TEXT, pd.Series(["a"]), "text").words
        ['customer', 'id']
        """
        return [word.lower() for word in WORDS.findall(plain(self.source))]

    @property
    def distinct(self) -> int:
        """Return how many different values the sample holds."""
        return int(self.values.astype("str").nunique() if self.kind == OTHER else self.values.nunique())

    @property
    def empty(self) -> float:
        """Return the share of rows without a value, 0 to 1."""
        return float(self.values.isna().mean())

    @property
    def is_whole(self) -> bool:
        """Return whether every value is a whole number."""
        return self.kind == NUMBER and bool((self.values.dropna() % 1 == 0).all())

    @property
    def is_unique(self) -> bool:
        """Return whether every row of the sample has a value of its own."""
        return not self.empty and self.distinct == len(self.values)


def look(frame: pd.DataFrame, types: Mapping[str, str]) -> list[Look]:
    """Return what each column looks like; raises DataError where a name cannot stand in a query.

    Parameters
    ----------
    frame : pd.DataFrame
        A sample of rows, as the server returns them.
    types : mapping
        The SQL type of each column, in lower case.
    """
    if odd := [name for name in types if not name.isprintable() or "\\" in name or not name.strip()]:
        raise DataError(f"Columns {odd} have names of no or of odd characters. Rename them, in a view for example.")
    names = clean(types)
    return [_look(source, names[source], frame[source], kind) for source, kind in types.items()]


def clean(sources: Iterable[str]) -> dict[str, str]:
    """Return a plain and distinct name for each column, its own where that is plain.

    >>> clean(["Größe (m²)", "price", "Price", "status", "123"])
    {'Größe (m²)': 'groesse_m2', 'price': 'price', 'Price': 'price_2', 'status': 'status_value', '123': 'column_123'}
    """
    found: dict[str, str] = {}
    for place, source in enumerate(sources, start=1):
        name = "_".join(re.findall(r"[a-z0-9]+", plain(source).lower())) or f"column_{place}"
        name = f"column_{name}" if name[0].isdigit() else f"{name}_value" if name in RESERVED else name
        taken, number = set(found.values()), 2
        unique = name
        while unique in taken:
            unique, number = f"{name}_{number}", number + 1
        found[source] = unique
    return found


def plain(text: str) -> str:
    """Return a text in ASCII letters, as far as it has any."""
    for letter, letters in (("ä", "ae"), ("ö", "oe"), ("ü", "ue"), ("Ä", "Ae"), ("Ö", "Oe"), ("Ü", "Ue"), ("ß", "ss")):
        text = text.replace(letter, letters)
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()


def _look(source: str, name: str, values: pd.Series, sql_type: str) -> Look:
    present = values.dropna()
    inferred = pd.api.types.infer_dtype(present, skipna=True) if len(present) else "empty"
    if inferred in MOMENTS:
        return Look(source, name, MOMENT, _moments(values), sql_type)
    if inferred in NUMBERS or (inferred == "string" and _are_numbers(present)):
        return Look(source, name, NUMBER, pd.to_numeric(values).astype("float64"), sql_type)
    if inferred == "string" and bool(present.str.fullmatch(ISO).all()):
        return Look(source, name, MOMENT, _moments(values), sql_type, str(present.iloc[0]))
    return Look(source, name, TEXT if inferred == "string" else OTHER, values, sql_type)


def _moments(values: pd.Series) -> pd.Series:
    return pd.to_datetime(values.astype("object"), utc=True, format="ISO8601", errors="coerce")


def _are_numbers(present: pd.Series) -> bool:
    """Return whether texts are numbers, and no codes such as 007."""
    is_code = present.str.fullmatch(r"0\d+").any()
    return not is_code and not pd.to_numeric(present, errors="coerce").isna().any()
