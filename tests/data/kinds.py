"""Kinds of bad data: what befalls one day of real flights, and what the product says of it. One thing at a time."""

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

PASS, WARN, FAIL, NONE = "pass", "warn", "fail", "insufficient data"
ERROR, LEFT_OUT, OPEN = "error", "left out", "not yet labelled"
"""The door refuses the day; the day before is refused for its labels; its labels have not come."""
TODAY, YESTERDAY, BOTH, WHOLE, TABLE, QUERY = "today", "yesterday", "both", "whole", "table", "query"
"""What a kind harms: the day's rows before they are pulled; the day before after its rows were pulled, so that only its
labels change; the day before from the beginning, rows and labels; the departures of many days; the loaded table, by
SQL; or the query, so that it returns what such a fault returns."""
Rows = pd.DataFrame


@dataclass(frozen=True)
class Parts:
    """Departures around a day, and which of them are of which day."""

    rows: Rows
    yesterday: "pd.Series[bool]"
    today: "pd.Series[bool]"


@dataclass(frozen=True)
class Kind:
    """One kind of bad data, and what is expected to be said of it."""

    title: str
    outcome: str
    found: tuple[str, ...]
    on: str
    change: Callable
    is_harm: bool = True
    """Whether anybody should have noticed."""
    noticed: tuple[str, ...] = ()
    """Where validation finds nothing: the features that drift names, and ``loss``."""

    def rows(self, parts: Parts) -> Rows:
        """Return the departures that are loaded into the warehouse."""
        if self.on == WHOLE:
            return self.change(parts)
        if self.on in {TABLE, QUERY}:
            return parts.rows
        is_meant = parts.today if self.on == TODAY else parts.yesterday
        return pd.concat([parts.rows[~is_meant], self.change(parts.rows[is_meant].reset_index(drop=True))])

    def alter(self, warehouse: Path) -> None:
        """Alter the loaded table."""
        if self.on == TABLE:
            with closing(sqlite3.connect(warehouse)) as connection, connection:
                for statement in self.change():
                    connection.execute(statement)

    def query(self, text: str) -> str:
        """Return the query, harmed if this is what the kind is about; each piece has to be there once."""
        for old, new in self.change() if self.on == QUERY else ():
            assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in the query"
            text = text.replace(old, new)
        return text


DAYS = {
    "2013-01-23": "the coldest day",
    "2013-02-08": "a snow storm",
    "2013-02-09": "the day after it",
    "2013-03-10": "a day of 23 hours",
    "2013-04-09": "the first hot day",
    "2013-07-04": "Independence Day",
    "2013-07-27": "a flight at 01:06 and one over 17 miles",
    "2013-09-12": "a day of thunderstorms",
    "2013-11-03": "a day of 25 hours",
    "2013-11-28": "Thanksgiving, the fewest flights",
    "2013-12-25": "Christmas",
    "2013-12-31": "a day without weather",
}
"""Real days that a suite must not refuse."""
ODD = {
    "info: proportion_of_non_null_values_to_be_between (origin_late_share)": "01-01 01-02",
    "info: proportion_of_non_null_values_to_be_between (carrier_late_share)": "01-01 01-02",
    "warning: mean_to_be_between (temp)": "01-23 04-09 12-31",
    "warning: mean_to_be_between (departed)": (
        "01-30 01-31 02-08 02-09 03-06 03-07 03-08 04-10 04-19 05-23 06-02 06-13 06-24 06-27 "
        "06-28 06-30 07-01 07-10 07-22 07-23 09-02 09-12 12-05 12-10 12-14 12-17 "
    ),
    "warning: proportion_of_non_null_values_to_be_between (tailnum)": "02-08 02-09",
    "info: proportion_of_non_null_values_to_be_between (plane_age)": "02-08 02-09",
    "warning: values_to_be_between (distance)": "07-27",
    "warning: min_to_be_between (scheduled_at)": "07-27",
    "warning: default table_row_count_to_be_between": "11-28 11-29",
    "warning: proportion_of_non_null_values_to_be_between (temp)": "12-31",
    "warning: mean_to_be_between (humid)": "12-31",
    "warning: unique_value_count_to_be_between (temp)": "12-31",
    "warning: unique_value_count_to_be_between (wind_speed)": "12-31",
    "warning: proportion_of_non_null_values_to_be_between (dewp)": "12-31",
    "warning: proportion_of_non_null_values_to_be_between (humid)": "12-31",
    "warning: proportion_of_non_null_values_to_be_between (wind_speed)": "12-31",
    "warning: proportion_of_non_null_values_to_be_between (precip)": "12-31",
    "warning: proportion_of_non_null_values_to_be_between (visib)": "12-31",
    "warning: proportion_of_non_null_values_to_be_between (pressure)": "12-31",
}
"""Days of 2013 on which an expectation on rows did not hold: storms, two holidays, odd flights, no weather."""
ODD_LABELS = {
    "warning: proportion_of_non_null_values_to_be_between (late)": (
        "01-30 02-08 02-09 03-06 03-07 03-08 04-10 04-19 05-23 06-13 06-24 06-27 06-28 07-10 "
        "07-22 07-23 09-12 12-05 12-10 12-14 12-17 "
    ),
    "warning: mean_to_be_between (late)": "03-08 06-13 07-01 12-09 12-10 12-14 12-17",
}
"""Days whose labels were warned of: many flights cancelled, or more than 60 % of them late."""
NOTHING = Kind("nothing", PASS, (), TABLE, tuple)
"""The day as it was."""
KINDS: dict[str, Kind] = {}


def kind(
    title: str, outcome: str, *found: str, on: str = TODAY, is_harm: bool = True, noticed: Sequence[str] = ()
) -> Callable:
    """Register a function as a kind of bad data."""

    def registered(change: Callable) -> Callable:
        assert title not in KINDS
        KINDS[title] = Kind(title, outcome, tuple(sorted(found)), on, change, is_harm, tuple(noticed))
        return change

    return registered


def some(rows: Rows, share: float, seed: int = 0) -> np.ndarray:
    """Return which rows are meant: so many of them, spread by chance but always the same."""
    chosen = np.random.default_rng(seed).permutation(len(rows))[: max(1, round(share * len(rows)))]
    return np.isin(np.arange(len(rows)), chosen)


def put(rows: Rows, column: str, value: object, share: float = 1.0) -> Rows:
    """Return rows with another value in some of them, whatever type the column had."""
    values = rows[column].astype("object")
    values[some(rows, share)] = value
    return rows.assign(
        **{column: values if isinstance(value, str) or value is None else values.astype(rows[column].dtype)}
    )


def swapped(rows: Rows, one: str, other: str) -> Rows:
    return rows.assign(**{one: rows[other], other: rows[one]})


def shuffled(rows: Rows, *columns: str) -> Rows:
    order = np.random.default_rng(1).permutation(len(rows))
    return rows.assign(**{name: rows[name].to_numpy()[order] for name in columns})


def renumbered(rows: Rows) -> Rows:
    """Return rows under keys that nobody has."""
    return rows.assign(flight=(rows["flight"] + 1000) % 9999 + 1, carrier=rows["carrier"])


def shifted(parts: Parts, hours: int) -> Rows:
    return parts.rows.assign(scheduled_at=parts.rows["scheduled_at"] + pd.Timedelta(hours=hours))


# Text


@kind("mojibake in every destination", FAIL, "critical: values_to_match_regex (dest)")
def _(day: Rows) -> Rows:
    return day.assign(dest=day["dest"].str.replace("A", "Ã\x81"))


@kind("mojibake in three destinations", WARN, "set aside: dest: values must match this regular expression: ^[A-Z]{3}$")
def _(day: Rows) -> Rows:
    return put(day, "dest", "MÃA", 0.003)


@kind(
    "mojibake in carriers",
    FAIL,
    "critical: values_to_match_regex (carrier)",
    "info: proportion_of_non_null_values_to_be_between (carrier_late_share)",
    "warning: distinct_values_to_contain_set (carrier)",
    "warning: values_to_be_in_set (carrier)",
)
def _(day: Rows) -> Rows:
    return day.assign(carrier=day["carrier"].str.replace("A", "Ã"))


@kind(
    "Cyrillic letters that look like Latin ones",
    FAIL,
    "critical: values_to_match_regex (carrier)",
    "info: proportion_of_non_null_values_to_be_between (carrier_late_share)",
    "warning: distinct_values_to_contain_set (carrier)",
    "warning: values_to_be_in_set (carrier)",
)
def _(day: Rows) -> Rows:
    return day.assign(carrier=day["carrier"].str.replace("A", "\u0410"))


@kind(
    "an invisible character behind the airport",
    FAIL,
    "critical: distinct_values_to_contain_set (origin)",
    "critical: values_to_be_in_set (origin)",
    "info: proportion_of_non_null_values_to_be_between (origin_late_share)",
    "warning: kl_divergence_to_be_less_than (origin)",
)
def _(day: Rows) -> Rows:
    return day.assign(origin=day["origin"] + "\u200b")


@kind("a blank before the destination", FAIL, "critical: values_to_match_regex (dest)")
def _(day: Rows) -> Rows:
    return day.assign(dest=" " + day["dest"])


@kind(
    "blanks behind the carrier, as in files of fixed width",
    FAIL,
    "critical: values_to_match_regex (carrier)",
    "info: proportion_of_non_null_values_to_be_between (carrier_late_share)",
    "warning: distinct_values_to_contain_set (carrier)",
    "warning: values_to_be_in_set (carrier)",
)
def _(day: Rows) -> Rows:
    return day.assign(carrier=day["carrier"] + "  ")


@kind(
    "lower-case carriers",
    FAIL,
    "critical: values_to_match_regex (carrier)",
    "info: proportion_of_non_null_values_to_be_between (carrier_late_share)",
    "warning: distinct_values_to_contain_set (carrier)",
    "warning: values_to_be_in_set (carrier)",
)
def _(day: Rows) -> Rows:
    return day.assign(carrier=day["carrier"].str.lower())


@kind(
    "lower-case airports",
    FAIL,
    "critical: distinct_values_to_contain_set (origin)",
    "critical: values_to_be_in_set (origin)",
    "info: proportion_of_non_null_values_to_be_between (origin_late_share)",
    "warning: kl_divergence_to_be_less_than (origin)",
)
def _(day: Rows) -> Rows:
    return day.assign(origin=day["origin"].str.lower())


@kind("empty text for some destinations", FAIL, "critical: values_to_match_regex (dest)")
def _(day: Rows) -> Rows:
    return put(day, "dest", "", 0.05)


@kind("the word NULL for some destinations", FAIL, "critical: values_to_match_regex (dest)")
def _(day: Rows) -> Rows:
    return put(day, "dest", "NULL", 0.05)


@kind(
    "the word nan for some carriers",
    FAIL,
    "critical: values_to_match_regex (carrier)",
    "warning: values_to_be_in_set (carrier)",
)
def _(day: Rows) -> Rows:
    return put(day, "carrier", "nan", 0.05)


@kind("NA, two capitals, for some carriers", WARN, "warning: values_to_be_in_set (carrier)")
def _(day: Rows) -> Rows:
    return put(day, "carrier", "NA", 0.05)


@kind(
    "three-letter ICAO codes for carriers",
    FAIL,
    "critical: values_to_match_regex (carrier)",
    "info: proportion_of_non_null_values_to_be_between (carrier_late_share)",
    "warning: distinct_values_to_contain_set (carrier)",
    "warning: values_to_be_in_set (carrier)",
)
def _(day: Rows) -> Rows:
    return day.assign(carrier=day["carrier"] + "L")


@kind("ICAO codes from noon on: the format changed during the day", FAIL, "critical: values_to_match_regex (dest)")
def _(day: Rows) -> Rows:
    return day.assign(dest=day["dest"].where(day["sched_minute"] < 720, "K" + day["dest"]))


# Columns


@kind(
    "distance and scheduled minute swapped",
    FAIL,
    "critical: quantile_values_to_be_between (distance)",
    "critical: values_to_be_between (sched_minute)",
    "warning: mean_to_be_between (sched_minute)",
)
def _(day: Rows) -> Rows:
    return swapped(day, "distance", "sched_minute")


@kind(
    "origin and destination swapped",
    FAIL,
    "critical: distinct_values_to_contain_set (origin)",
    "critical: values_to_be_in_set (origin)",
    "info: proportion_of_non_null_values_to_be_between (origin_late_share)",
    "warning: kl_divergence_to_be_less_than (origin)",
)
def _(day: Rows) -> Rows:
    return swapped(day, "origin", "dest")


@kind("temperature and dew point swapped", FAIL, "critical: pair_values_a_to_be_greater_than_b (temp, dewp)")
def _(day: Rows) -> Rows:
    return swapped(day, "temp", "dewp")


@kind(
    "humidity and visibility swapped",
    WARN,
    "warning: mean_to_be_between (humid)",
    "warning: values_to_be_between (visib)",
)
def _(day: Rows) -> Rows:
    return swapped(day, "humid", "visib")


@kind(
    "temperature and wind speed swapped",
    FAIL,
    "critical: pair_values_a_to_be_greater_than_b (temp, dewp)",
    "warning: mean_to_be_between (temp)",
)
def _(day: Rows) -> Rows:
    return swapped(day, "temp", "wind_speed")


@kind("a column renamed in the warehouse", ERROR, "DataError", on=TABLE)
def _() -> Sequence[str]:
    return ["ALTER TABLE departures RENAME COLUMN temp TO temperature"]


@kind("a column dropped from the warehouse", ERROR, "DataError", on=TABLE)
def _() -> Sequence[str]:
    return ["ALTER TABLE departures DROP COLUMN humid"]


@kind("the table gone", ERROR, "DataError", on=TABLE)
def _() -> Sequence[str]:
    return ["DROP TABLE departures"]


@kind("a column renamed in the query", ERROR, "DataError", on=QUERY)
def _() -> Sequence[tuple[str, str]]:
    return [("d.temp,", "d.temp AS temperature,")]


@kind("a column named twice in the query", ERROR, "DataError", on=QUERY)
def _() -> Sequence[tuple[str, str]]:
    return [("d.temp,", "d.temp, d.dewp AS temp,")]


@kind("another column under a known name", FAIL, "critical: quantile_values_to_be_between (distance)", on=QUERY)
def _() -> Sequence[tuple[str, str]]:
    return [("d.distance,", "d.sched_minute AS distance,")]


@kind("columns in another order", PASS, is_harm=False, on=QUERY)
def _() -> Sequence[tuple[str, str]]:
    return [("    d.temp,\n", ""), ("    d.visib,\n", "    d.visib,\n    d.temp,\n")]


@kind("a column added in the warehouse", PASS, is_harm=False, on=TABLE)
def _() -> Sequence[str]:
    return ["ALTER TABLE departures ADD COLUMN gate TEXT DEFAULT 'A1'"]


@kind("a column added in the query", PASS, is_harm=False, on=QUERY)
def _() -> Sequence[tuple[str, str]]:
    return [("d.visib,", "d.visib, 1 AS gate,")]


@kind("whole numbers widened to floating point", PASS, is_harm=False, on=WHOLE)
def _(parts: Parts) -> Rows:
    return parts.rows.assign(flight=parts.rows["flight"] * 1.0, sched_minute=parts.rows["sched_minute"] * 1.0)


# Numbers as text


@kind("numbers as text that read as numbers", PASS, is_harm=False, on=QUERY)
def _() -> Sequence[tuple[str, str]]:
    return [("d.distance,", "CAST(d.distance AS VARCHAR(9)) AS distance,")]


@kind(
    "a decimal comma",
    FAIL,
    "critical: pair_values_a_to_be_greater_than_b (temp, dewp)",
    "critical: values_to_be_of_type (temp)",
    "warning: mean_to_be_between (temp)",
    "warning: values_to_be_between (temp)",
)
def _(day: Rows) -> Rows:
    return day.assign(temp=day["temp"].map("{:.2f}".format).str.replace(".", ","))


@kind(
    "thousands separators",
    FAIL,
    "critical: quantile_values_to_be_between (distance)",
    "critical: values_to_be_between (distance)",
    "critical: values_to_be_of_type (distance)",
    "warning: values_to_be_between (distance)",
)
def _(day: Rows) -> Rows:
    return day.assign(distance=day["distance"].map("{:,.0f}".format))


@kind(
    "a unit behind the number",
    FAIL,
    "critical: values_to_be_between (wind_speed)",
    "critical: values_to_be_of_type (wind_speed)",
)
def _(day: Rows) -> Rows:
    return day.assign(wind_speed=day["wind_speed"].map("{:.1f} mph".format))


@kind(
    "one letter among numbers",
    FAIL,
    "critical: values_to_be_between (pressure)",
    "critical: values_to_be_of_type (pressure)",
)
def _(day: Rows) -> Rows:
    return put(day, "pressure", "M", 0.001)


@kind(
    "the word NULL among numbers",
    FAIL,
    "critical: pair_values_a_to_be_greater_than_b (temp, dewp)",
    "critical: values_to_be_of_type (temp)",
    "warning: mean_to_be_between (temp)",
    "warning: values_to_be_between (temp)",
)
def _(day: Rows) -> Rows:
    return put(day, "temp", "NULL", 0.05)


@kind(
    "the word nan among numbers",
    FAIL,
    "critical: pair_values_a_to_be_greater_than_b (temp, dewp)",
    "critical: values_to_be_of_type (temp)",
    "warning: mean_to_be_between (temp)",
    "warning: values_to_be_between (temp)",
)
def _(day: Rows) -> Rows:
    return put(day, "temp", "nan", 0.05)


@kind("flight numbers as text with a letter", FAIL, "critical: values_to_be_between (flight)")
def _(day: Rows) -> Rows:
    return day.assign(flight=day["carrier"] + day["flight"].astype(str))


@kind(
    "text from noon on: the schema changed during the day",
    FAIL,
    "critical: values_to_be_between (sched_minute)",
    "warning: mean_to_be_between (sched_minute)",
)
def _(day: Rows) -> Rows:
    text = day["sched_minute"].map(lambda minute: f"{minute // 60}:{minute % 60:02d}")
    return day.assign(sched_minute=day["sched_minute"].astype(object).where(day["sched_minute"] < 720, text))


# Units


@kind(
    "minutes to seconds",
    FAIL,
    "critical: values_to_be_between (sched_minute)",
    "warning: mean_to_be_between (sched_minute)",
)
def _(day: Rows) -> Rows:
    return day.assign(sched_minute=day["sched_minute"] * 60)


@kind(
    "minutes to hours",
    WARN,
    "warning: mean_to_be_between (sched_minute)",
    "warning: unique_value_count_to_be_between (sched_minute)",
)
def _(day: Rows) -> Rows:
    return day.assign(sched_minute=day["sched_minute"] // 60)


@kind(
    "minutes since midnight to a clock's digits, 10:30 as 1030",
    FAIL,
    "critical: values_to_be_between (sched_minute)",
    "warning: mean_to_be_between (sched_minute)",
)
def _(day: Rows) -> Rows:
    return day.assign(sched_minute=day["sched_minute"] // 60 * 100 + day["sched_minute"] % 60)


@kind(
    "miles to kilometres",
    FAIL,
    "critical: quantile_values_to_be_between (distance)",
    "critical: values_to_be_between (distance)",
    "warning: values_to_be_between (distance)",
)
def _(day: Rows) -> Rows:
    return day.assign(distance=day["distance"] * 1.609344)


@kind(
    "miles to kilometres from noon on",
    FAIL,
    "critical: quantile_values_to_be_between (distance)",
    "critical: values_to_be_between (distance)",
    "warning: values_to_be_between (distance)",
)
def _(day: Rows) -> Rows:
    return day.assign(distance=day["distance"].where(day["sched_minute"] < 720, day["distance"] * 1.609344))


@kind(
    "Fahrenheit to Celsius, temperature only",
    FAIL,
    "critical: pair_values_a_to_be_greater_than_b (temp, dewp)",
    "warning: mean_to_be_between (temp)",
)
def _(day: Rows) -> Rows:
    return day.assign(temp=(day["temp"] - 32) / 1.8)


@kind("Fahrenheit to Celsius, dew point too", WARN, "warning: mean_to_be_between (temp)")
def _(day: Rows) -> Rows:
    return day.assign(temp=(day["temp"] - 32) / 1.8, dewp=(day["dewp"] - 32) / 1.8)


@kind("miles an hour to metres a second", PASS)
def _(day: Rows) -> Rows:
    return day.assign(wind_speed=day["wind_speed"] * 0.44704)


@kind("inches to millimetres", WARN, "warning: values_to_be_between (precip)")
def _(day: Rows) -> Rows:
    return day.assign(precip=day["precip"] * 25.4)


@kind("millibars to inches of mercury", FAIL, "critical: values_to_be_between (pressure)")
def _(day: Rows) -> Rows:
    return day.assign(pressure=day["pressure"] * 0.02953)


@kind("visibility in kilometres", WARN, "warning: values_to_be_between (visib)")
def _(day: Rows) -> Rows:
    return day.assign(visib=day["visib"] * 1.609344)


@kind("percent to a share", WARN, "warning: mean_to_be_between (humid)")
def _(day: Rows) -> Rows:
    return day.assign(humid=day["humid"] / 100)


@kind("a year replaced by an age", WARN, "warning: values_to_be_between (plane_age)")
def _(day: Rows) -> Rows:
    return day.assign(plane_year=2013 - day["plane_year"])


# Stand-ins for nothing


@kind(
    "-999 for some temperatures",
    FAIL,
    "critical: pair_values_a_to_be_greater_than_b (temp, dewp)",
    "warning: mean_to_be_between (temp)",
    "warning: values_to_be_between (temp)",
)
def _(day: Rows) -> Rows:
    return put(day, "temp", -999.0, 0.05)


@kind("9999 for some wind speeds", FAIL, "critical: values_to_be_between (wind_speed)")
def _(day: Rows) -> Rows:
    return put(day, "wind_speed", 9999.0, 0.05)


@kind("-1 for some visibilities", WARN, "warning: values_to_be_between (visib)")
def _(day: Rows) -> Rows:
    return put(day, "visib", -1.0, 0.05)


@kind(
    "-999 for some distances",
    FAIL,
    "critical: values_to_be_between (distance)",
    "warning: values_to_be_between (distance)",
)
def _(day: Rows) -> Rows:
    return put(day, "distance", -999.0, 0.05)


@kind("the year 0 for some planes", WARN, "warning: values_to_be_between (plane_age)")
def _(day: Rows) -> Rows:
    return put(day, "plane_year", 0.0, 0.05)


@kind("0 for every pressure", FAIL, "critical: values_to_be_between (pressure)")
def _(day: Rows) -> Rows:
    return day.assign(pressure=0.0)


@kind("infinite temperatures", WARN, "warning: mean_to_be_between (temp)", "warning: values_to_be_between (temp)")
def _(day: Rows) -> Rows:
    return put(day, "temp", np.inf, 0.02)


@kind("one infinite distance", WARN, "set aside: distance: values must be between 1 and 6000")
def _(day: Rows) -> Rows:
    return put(day, "distance", -np.inf, 0.001)


@kind("a tenth of the temperatures missing", PASS, noticed=("temp missing",))
def _(day: Rows) -> Rows:
    return put(day, "temp", np.nan, 0.1)


@kind("a third of the temperatures missing", WARN, "warning: proportion_of_non_null_values_to_be_between (temp)")
def _(day: Rows) -> Rows:
    return put(day, "temp", np.nan, 0.33)


GONE: dict[str, list[str]] = {
    "dewp": [],
    "humid": ["warning: mean_to_be_between (humid)"],
    "wind_speed": ["warning: unique_value_count_to_be_between (wind_speed)"],
    "precip": [],
    "visib": [],
    "pressure": [],
}
for _column, _more in GONE.items():

    @kind(
        f"no value of {_column}",
        WARN,
        f"warning: proportion_of_non_null_values_to_be_between ({_column})",
        *_more,
    )
    def _(day: Rows, column: str = _column) -> Rows:
        return day.assign(**{column: np.nan})


@kind(
    "no weather at all",
    WARN,
    "warning: mean_to_be_between (humid)",
    "warning: mean_to_be_between (temp)",
    "warning: proportion_of_non_null_values_to_be_between (dewp)",
    "warning: proportion_of_non_null_values_to_be_between (humid)",
    "warning: proportion_of_non_null_values_to_be_between (precip)",
    "warning: proportion_of_non_null_values_to_be_between (pressure)",
    "warning: proportion_of_non_null_values_to_be_between (temp)",
    "warning: proportion_of_non_null_values_to_be_between (visib)",
    "warning: proportion_of_non_null_values_to_be_between (wind_speed)",
    "warning: unique_value_count_to_be_between (temp)",
    "warning: unique_value_count_to_be_between (wind_speed)",
)
def _(day: Rows) -> Rows:
    return day.assign(**dict.fromkeys(["temp", "dewp", "humid", "wind_speed", "precip", "pressure", "visib"], np.nan))


@kind("no year of building", PASS, "info: proportion_of_non_null_values_to_be_between (plane_age)")
def _(day: Rows) -> Rows:
    return day.assign(plane_year=np.nan)


@kind("a fifth of the tail numbers missing", WARN, "warning: proportion_of_non_null_values_to_be_between (tailnum)")
def _(day: Rows) -> Rows:
    return put(day, "tailnum", None, 0.2)


@kind(
    "no distance",
    FAIL,
    "critical: quantile_values_to_be_between (distance)",
    "critical: values_to_not_be_null (distance)",
    "warning: unique_value_count_to_be_between (distance)",
)
def _(day: Rows) -> Rows:
    return day.assign(distance=np.nan)


@kind("a twentieth of the distances missing", FAIL, "critical: values_to_not_be_null (distance)")
def _(day: Rows) -> Rows:
    return put(day, "distance", np.nan, 0.05)


@kind("three distances missing", WARN, "set aside: distance: values must never be null")
def _(day: Rows) -> Rows:
    return put(day, "distance", np.nan, 0.003)


# Keys


@kind(
    "no carrier",
    FAIL,
    "critical: values_to_not_be_null (carrier)",
    "info: proportion_of_non_null_values_to_be_between (carrier_late_share)",
    "warning: distinct_values_to_contain_set (carrier)",
    "warning: unique_value_count_to_be_between (carrier)",
)
def _(day: Rows) -> Rows:
    return day.assign(carrier=None)


@kind("three carriers missing", WARN, "set aside: carrier: values must never be null")
def _(day: Rows) -> Rows:
    return put(day, "carrier", None, 0.003)


@kind("four rows twice", WARN, "set aside: carrier, flight, origin, dest, scheduled_at: must be unique together")
def _(day: Rows) -> Rows:
    return pd.concat([day, day.head(4)])


@kind(
    "a twentieth of the rows twice",
    FAIL,
    "critical: compound_columns_to_be_unique (carrier, flight, origin, dest, scheduled_at)",
)
def _(day: Rows) -> Rows:
    return pd.concat([day, day[some(day, 0.05)]])


@kind(
    "the whole file twice",
    FAIL,
    "critical: compound_columns_to_be_unique (carrier, flight, origin, dest, scheduled_at)",
    "warning: default table_row_count_to_be_between",
    "warning: table_row_count_to_be_between",
)
def _(day: Rows) -> Rows:
    return pd.concat([day, day])


@kind("flight numbers that overflowed, in three rows", WARN, "set aside: flight: values must be between 1 and 9999")
def _(day: Rows) -> Rows:
    return put(day, "flight", -2147483648, 0.003)


@kind("flight numbers that overflowed, in all rows", FAIL, "critical: values_to_be_between (flight)")
def _(day: Rows) -> Rows:
    return day.assign(flight=day["flight"] - 2147483648)


@kind("one flight number for all", WARN, "warning: unique_value_count_to_be_between (flight)")
def _(day: Rows) -> Rows:
    return day.assign(flight=1)


# Deliveries


@kind("an empty file", NONE)
def _(day: Rows) -> Rows:
    return day.head(0)


@kind("fifty rows", NONE)
def _(day: Rows) -> Rows:
    return day.head(50)


@kind(
    "the first half of the file",
    WARN,
    "warning: default max_to_be_between (scheduled_at)",
    "warning: default table_row_count_to_be_between",
    "warning: max_to_be_between (scheduled_at)",
    "warning: mean_to_be_between (sched_minute)",
    "warning: table_row_count_to_be_between",
)
def _(day: Rows) -> Rows:
    return day.head(len(day) // 2)


@kind(
    "every other row", WARN, "warning: default table_row_count_to_be_between", "warning: table_row_count_to_be_between"
)
def _(day: Rows) -> Rows:
    return day.iloc[::2]


@kind("a fifth of the rows missing by chance", PASS)
def _(day: Rows) -> Rows:
    return day[~some(day, 0.2)]


@kind("nothing after nine in the evening", WARN, "warning: max_to_be_between (scheduled_at)")
def _(day: Rows) -> Rows:
    return day[day["sched_minute"] < 21 * 60]


@kind("nothing before eight in the morning", WARN, "warning: min_to_be_between (scheduled_at)")
def _(day: Rows) -> Rows:
    return day[day["sched_minute"] >= 8 * 60]


@kind(
    "every row twice under new keys",
    WARN,
    "warning: default table_row_count_to_be_between",
    "warning: table_row_count_to_be_between",
)
def _(day: Rows) -> Rows:
    return pd.concat([day, renumbered(day)])


@kind(
    "yesterday's file again under today's times",
    WARN,
    "warning: default mean_to_be_between (rows that the interval before did not have)",
    on=WHOLE,
)
def _(parts: Parts) -> Rows:
    again = parts.rows[parts.yesterday]
    again = again.assign(scheduled_at=again["scheduled_at"] + pd.Timedelta(days=1))
    return pd.concat([parts.rows[~parts.today], again])


@kind("rows of other days, because the query forgot its bounds", ERROR, "DataError", on=QUERY)
def _() -> Sequence[tuple[str, str]]:
    return [("WHERE d.scheduled_at >= :start AND d.scheduled_at < :end", "WHERE d.scheduled_at < :end")]


@kind(
    "rows joined twice, because the weather stands twice",
    FAIL,
    "critical: compound_columns_to_be_unique (carrier, flight, origin, dest, scheduled_at)",
    "labels: critical: compound_columns_to_be_unique (carrier, flight, origin, dest, scheduled_at)",
    "the day before: critical: compound_columns_to_be_unique (carrier, flight, origin, dest, scheduled_at)",
    "the day before: warning: default table_row_count_to_be_between",
    "the day before: warning: table_row_count_to_be_between",
    "warning: default table_row_count_to_be_between",
    "warning: table_row_count_to_be_between",
    on=QUERY,
)
def _() -> Sequence[tuple[str, str]]:
    joined = "FROM departures AS d\n"
    return [(joined, f"{joined}JOIN (SELECT 1 AS reading UNION ALL SELECT 2) AS weather ON 1 = 1\n")]


@kind("one carrier missing", WARN, "warning: distinct_values_to_contain_set (carrier)")
def _(day: Rows) -> Rows:
    return day[day["carrier"] != "VX"]


@kind(
    "one airport missing",
    FAIL,
    "critical: distinct_values_to_contain_set (origin)",
    "warning: distinct_values_to_contain_set (carrier)",
    "warning: kl_divergence_to_be_less_than (origin)",
)
def _(day: Rows) -> Rows:
    return day[day["origin"] != "LGA"]


@kind(
    "one airport doubled under new keys",
    WARN,
    "warning: default table_row_count_to_be_between",
    "warning: kl_divergence_to_be_less_than (origin)",
    "warning: table_row_count_to_be_between",
)
def _(day: Rows) -> Rows:
    return pd.concat([day, renumbered(day[day["origin"] == "JFK"])])


@kind("an unknown carrier", WARN, "warning: values_to_be_in_set (carrier)")
def _(day: Rows) -> Rows:
    return put(day, "carrier", "XX", 0.01)


@kind("an unknown destination", PASS)
def _(day: Rows) -> Rows:
    return put(day, "dest", "ZZZ", 0.01)


@kind("one destination missing", PASS)
def _(day: Rows) -> Rows:
    return day[day["dest"] != "ORD"]


# Times


@kind(
    "times five hours late: UTC taken for New York",
    WARN,
    "the day before: warning: min_to_be_between (scheduled_at)",
    "warning: min_to_be_between (scheduled_at)",
    on=WHOLE,
)
def _(parts: Parts) -> Rows:
    return shifted(parts, 5)


@kind(
    "times four hours early: New York taken for UTC",
    WARN,
    "warning: max_to_be_between (scheduled_at)",
    "warning: min_to_be_between (scheduled_at)",
    on=WHOLE,
)
def _(parts: Parts) -> Rows:
    return shifted(parts, -4)


@kind("times one hour late: summer time forgotten", WARN, "warning: min_to_be_between (scheduled_at)", on=WHOLE)
def _(parts: Parts) -> Rows:
    return shifted(parts, 1)


@kind(
    "dates cut to midnight",
    WARN,
    "warning: default max_to_be_between (scheduled_at)",
    "warning: max_to_be_between (scheduled_at)",
    "warning: min_to_be_between (scheduled_at)",
    on=WHOLE,
)
def _(parts: Parts) -> Rows:
    local = parts.rows["scheduled_at"].dt.tz_convert("America/New_York").dt.floor("D").dt.tz_convert("UTC")
    return parts.rows.assign(scheduled_at=local.where(parts.today, parts.rows["scheduled_at"]))


@kind("a twentieth of the rows dated 1900", PASS)
def _(day: Rows) -> Rows:
    return day.assign(scheduled_at=day["scheduled_at"].mask(some(day, 0.05), pd.Timestamp("1900-01-01", tz="UTC")))


@kind("every row dated 2100", NONE)
def _(day: Rows) -> Rows:
    return day.assign(scheduled_at=pd.Timestamp("2100-01-01", tz="UTC"))


@kind("a moment that there is not", ERROR, "DataError", on=TABLE)
def _() -> Sequence[str]:
    return ["UPDATE departures SET scheduled_at = '2013-05-28 25:61:00' WHERE scheduled_at LIKE '2013-05-28 15:%'"]


@kind("departures dated 2100", WARN, "warning: mean_to_be_between (departed)")
def _(day: Rows) -> Rows:
    return day.assign(departed_at=pd.Timestamp("2100-01-01", tz="UTC"))


@kind("another weekday's number", PASS, noticed=("loss",))
def _(day: Rows) -> Rows:
    return day.assign(weekday=(day["weekday"] + 1) % 7)


@kind("weekdays from 1 to 7, a Sunday", FAIL, "critical: values_to_be_in_set (weekday)", on=WHOLE)
def _(parts: Parts) -> Rows:
    return parts.rows.assign(weekday=parts.rows["weekday"].mask(parts.today, 7))


# Values


@kind("one temperature for all", WARN, "warning: unique_value_count_to_be_between (temp)")
def _(day: Rows) -> Rows:
    return day.assign(temp=float(day["temp"].median()))


@kind("one wind speed an airport: a stuck instrument", WARN, "warning: unique_value_count_to_be_between (wind_speed)")
def _(day: Rows) -> Rows:
    return day.assign(wind_speed=day.groupby("origin")["wind_speed"].transform("first"))


@kind(
    "one distance for all",
    FAIL,
    "critical: quantile_values_to_be_between (distance)",
    "warning: unique_value_count_to_be_between (distance)",
)
def _(day: Rows) -> Rows:
    return day.assign(distance=1040.0)


@kind("one scheduled minute for all", WARN, "warning: unique_value_count_to_be_between (sched_minute)")
def _(day: Rows) -> Rows:
    return day.assign(sched_minute=720)


@kind(
    "temperatures with the sign flipped",
    FAIL,
    "critical: pair_values_a_to_be_greater_than_b (temp, dewp)",
    "warning: mean_to_be_between (temp)",
    "warning: values_to_be_between (temp)",
)
def _(day: Rows) -> Rows:
    return day.assign(temp=-day["temp"])


@kind(
    "distances with the sign flipped",
    FAIL,
    "critical: quantile_values_to_be_between (distance)",
    "critical: values_to_be_between (distance)",
    "warning: values_to_be_between (distance)",
)
def _(day: Rows) -> Rows:
    return day.assign(distance=-day["distance"])


@kind("one distance of 50,000 miles", WARN, "set aside: distance: values must be between 1 and 6000")
def _(day: Rows) -> Rows:
    return put(day, "distance", 50_000.0, 0.001)


@kind("two per cent of the temperatures tenfold", WARN, "warning: values_to_be_between (temp)")
def _(day: Rows) -> Rows:
    return day.assign(temp=day["temp"].mask(some(day, 0.02), day["temp"] * 10))


@kind(
    "distances wrapped at 256",
    FAIL,
    "critical: quantile_values_to_be_between (distance)",
    "warning: values_to_be_between (distance)",
)
def _(day: Rows) -> Rows:
    return day.assign(distance=day["distance"] % 256)


@kind(
    "distances clipped at 1,000 miles",
    FAIL,
    "critical: quantile_values_to_be_between (distance)",
    "warning: unique_value_count_to_be_between (distance)",
)
def _(day: Rows) -> Rows:
    return day.assign(distance=day["distance"].clip(upper=1000))


@kind("pressures clipped at 1,010 millibars", PASS)
def _(day: Rows) -> Rows:
    return day.assign(pressure=day["pressure"].clip(upper=1010))


@kind("temperatures rounded to tens", WARN, "warning: unique_value_count_to_be_between (temp)")
def _(day: Rows) -> Rows:
    return day.assign(temp=day["temp"].round(-1), dewp=(day["dewp"] // 10 * 10))


@kind("distances shuffled", PASS)
def _(day: Rows) -> Rows:
    return shuffled(day, "distance")


@kind("weather shuffled", PASS)
def _(day: Rows) -> Rows:
    return shuffled(day, "temp", "dewp", "humid", "wind_speed", "precip", "pressure", "visib")


@kind("yesterday's weather again", PASS, on=WHOLE)
def _(parts: Parts) -> Rows:
    names, rows = ["temp", "dewp", "humid", "wind_speed", "precip", "pressure", "visib"], parts.rows.copy()
    rows["hour"] = rows["sched_minute"] // 60
    known = rows[parts.yesterday].drop_duplicates(["origin", "hour"]).set_index(["origin", "hour"])[names]
    place = pd.MultiIndex.from_frame(rows.loc[parts.today, ["origin", "hour"]])
    rows.loc[parts.today, names] = known.reindex(place).to_numpy()
    return rows.drop(columns="hour")


# Labels


@kind("labels inverted", WARN, "labels: warning: mean_to_be_between (late)", on=YESTERDAY)
def _(day: Rows) -> Rows:
    return day.assign(arr_delay=31 - day["arr_delay"])


@kind(
    "no flight late",
    LEFT_OUT,
    "labels: critical: unique_value_count_to_be_between (late)",
    "labels: warning: mean_to_be_between (late)",
    on=YESTERDAY,
)
def _(day: Rows) -> Rows:
    return day.assign(arr_delay=day["arr_delay"].clip(upper=15))


@kind(
    "every flight late",
    LEFT_OUT,
    "labels: critical: unique_value_count_to_be_between (late)",
    "labels: warning: mean_to_be_between (late)",
    on=YESTERDAY,
)
def _(day: Rows) -> Rows:
    return day.assign(arr_delay=day["arr_delay"].clip(lower=16))


@kind("no outcome yet", OPEN, on=YESTERDAY)
def _(day: Rows) -> Rows:
    return day.assign(outcome_known_at=day["outcome_known_at"].mask(some(day, 1.0)))


@kind("half of the outcomes not yet there", OPEN, on=YESTERDAY)
def _(day: Rows) -> Rows:
    return day.assign(outcome_known_at=day["outcome_known_at"].mask(some(day, 0.5)))


@kind(
    "outcomes without a delay for two thirds",
    LEFT_OUT,
    "labels: critical: proportion_of_non_null_values_to_be_between (late)",
    "labels: warning: proportion_of_non_null_values_to_be_between (late)",
    on=YESTERDAY,
)
def _(day: Rows) -> Rows:
    return day.assign(arr_delay=day["arr_delay"].mask(some(day, 0.67)))


@kind(
    "outcomes without a delay for a fifth",
    WARN,
    "labels: warning: proportion_of_non_null_values_to_be_between (late)",
    on=YESTERDAY,
)
def _(day: Rows) -> Rows:
    return day.assign(arr_delay=day["arr_delay"].mask(some(day, 0.2)))


@kind(
    "outcomes of late flights lost",
    LEFT_OUT,
    "labels: critical: unique_value_count_to_be_between (late)",
    "labels: warning: mean_to_be_between (late)",
    on=YESTERDAY,
)
def _(day: Rows) -> Rows:
    return day.assign(arr_delay=day["arr_delay"].mask(day["arr_delay"] > 15))


@kind(
    "a label with a third value",
    LEFT_OUT,
    "labels: critical: unique_value_count_to_be_between (late)",
    "labels: critical: values_to_be_in_set (late)",
    on=QUERY,
)
def _() -> Sequence[tuple[str, str]]:
    return [("AND d.arr_delay > 15 THEN 1\n", "AND d.arr_delay > 60 THEN 2 WHEN d.arr_delay > 15 THEN 1\n")]


@kind(
    "labels as words",
    LEFT_OUT,
    "labels: critical: values_to_be_in_set (late)",
    "labels: warning: mean_to_be_between (late)",
    on=QUERY,
)
def _() -> Sequence[tuple[str, str]]:
    return [("AND d.arr_delay > 15 THEN 1\n", "AND d.arr_delay > 15 THEN 'late'\n")]


@kind(
    "labels in minutes",
    LEFT_OUT,
    "labels: critical: unique_value_count_to_be_between (late)",
    "labels: critical: values_to_be_in_set (late)",
    "labels: warning: mean_to_be_between (late)",
    on=QUERY,
)
def _() -> Sequence[tuple[str, str]]:
    return [("AND d.arr_delay > 15 THEN 1\n", "AND d.arr_delay > 15 THEN d.arr_delay\n")]


@kind(
    "delays in hours",
    LEFT_OUT,
    "labels: critical: unique_value_count_to_be_between (late)",
    "labels: warning: mean_to_be_between (late)",
    on=YESTERDAY,
)
def _(day: Rows) -> Rows:
    return day.assign(arr_delay=day["arr_delay"] / 60)


@kind("delays in seconds", PASS, noticed=("loss",), on=YESTERDAY)
def _(day: Rows) -> Rows:
    return day.assign(arr_delay=day["arr_delay"] * 60)


@kind("labels shuffled", PASS, on=YESTERDAY)
def _(day: Rows) -> Rows:
    return shuffled(day, "arr_delay")


@kind(
    "labels of rows that have gone",
    WARN,
    "the day before: warning: default max_to_be_between (scheduled_at)",
    "the day before: warning: default table_row_count_to_be_between",
    "the day before: warning: max_to_be_between (scheduled_at)",
    "the day before: warning: mean_to_be_between (sched_minute)",
    "the day before: warning: table_row_count_to_be_between",
    on=YESTERDAY,
)
def _(day: Rows) -> Rows:
    return day.head(400)


@kind(
    "a feature that is the label",
    LEFT_OUT,
    "labels: critical: default values_to_be_null (features that tell the label)",
    on=BOTH,
)
def _(day: Rows) -> Rows:
    return day.assign(plane_year=2013 - (day["arr_delay"] > 15) * 1.0)


@kind(
    "a feature that orders by the label",
    LEFT_OUT,
    "labels: critical: default values_to_be_null (features that tell the label)",
    on=BOTH,
)
def _(day: Rows) -> Rows:
    return day.assign(wind_speed=day["wind_speed"].clip(0, 20) + (day["arr_delay"] > 15) * 30.0)


@kind(
    "a feature that is missing where the label is 1",
    LEFT_OUT,
    "labels: critical: default values_to_be_null (features that tell the label)",
    on=BOTH,
)
def _(day: Rows) -> Rows:
    return day.assign(visib=day["visib"].mask(day["arr_delay"] > 15))


@kind(
    "a category that names the label",
    LEFT_OUT,
    "labels: critical: default values_to_be_null (features that tell the label)",
    on=BOTH,
)
def _(day: Rows) -> Rows:
    return day.assign(dest=np.where(day["arr_delay"] > 15, "LAX", "ORD"))


@kind("a feature that tells the label of four rows in five", PASS, on=BOTH)
def _(day: Rows) -> Rows:
    return day.assign(plane_year=2013 - ((day["arr_delay"] > 15) ^ some(day, 0.2)) * 10.0)
