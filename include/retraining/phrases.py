"""Pure: what Great Expectations found, as plain words that are safe to show anywhere."""

import json
import math
import re
import unicodedata
from collections.abc import Iterable
from datetime import datetime, timedelta
from string import Template
from typing import Any
from zoneinfo import ZoneInfo

LONGEST, LONGEST_SENTENCE = 160, 600
MOST = 50
NAMED = 3
FEW = 5
"""So many values of a mix are named."""
DIVERGENCE = "expect_column_kl_divergence_to_be_less_than"
QUANTILES = "expect_column_quantile_values_to_be_between"
TYPED = {"expect_column_values_to_be_of_type", "expect_column_values_to_be_in_type_list"}
TYPES = {"str": "text", "float64": "numbers"}
TEXT_SIGNS = ("with string dtype", "dtype=str", "large_string", "must either be None or of the same type")
OUTCOMES = {"pass": "Passed", "warn": "Passed with warnings", "fail": "Refused"}
SEVERITY_ORDER = {"critical": 0, "warning": 1, "info": 2}


def visible(text: Any, longest: int = LONGEST) -> str:
    r"""Return text on one line, cut to a readable length, with every character that hides or reorders spelt out.

    >>> visible("EWR" + chr(0x202E))
    'EWR\\u202e'
    """
    shown = str(text)
    shown = shown if len(shown) <= longest else shown[: longest - 1] + "…"
    return "".join(char if _is_plain(char) else f"\\u{ord(char):04x}" for char in shown)


def _is_plain(char: str) -> bool:
    return char == " " or unicodedata.category(char) not in {"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp", "Zs"}


def tidy(value: Any) -> Any:
    """Return a JSON value with visible texts, finite numbers and lists cut to a readable length."""
    if isinstance(value, dict):
        return {visible(key): tidy(held) for key, held in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        several = sorted(value, key=str) if isinstance(value, set | frozenset) else list(value)
        rest = [f"… and {len(several) - MOST:,} more"] if len(several) > MOST else []
        return [tidy(held) for held in several[:MOST]] + rest
    if isinstance(value, str):
        return visible(value)
    return _plain_number(value) if isinstance(value, int | float) else value if value is None else visible(value)


def _plain_number(value: float) -> float | str:
    """Return a number as Python's own: NumPy's is a float by inheritance and prints as something else."""
    if isinstance(value, bool | int):
        return value
    return float(value) if math.isfinite(value) else str(value)


def limit(raw: dict[str, Any]) -> str:
    """Return what an expectation asks for, in Great Expectations' words made a little shorter."""
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration
    from great_expectations.expectations.registry import get_renderer_impl

    config = raw["expectation_config"]
    if config["type"] in WORDS:
        return WORDS[config["type"]](config["kwargs"])
    wanted = ExpectationConfiguration(type=config["type"], kwargs=config["kwargs"])
    try:
        _, render = get_renderer_impl(config["type"], "renderer.prescriptive")
        content = render(configuration=wanted, runtime_configuration={"include_column_name": False})
        parts = [found.to_json_dict()["string_template"] for found in content]
    except Exception:  # words are a courtesy: without them the type and its arguments say the same
        return visible(f"{config['type']} {json.dumps(config['kwargs'], sort_keys=True)}")
    return _shorter(" ".join(_filled(part) for part in parts))


def _mix(kwargs: dict[str, Any]) -> str:
    """Return how near a mix has to be to which other, where that is one of few values."""
    partition, nearness = kwargs["partition_object"], f"mix must be within {number(kwargs['threshold'])}"
    values = partition.get("values") or []
    if not 0 < len(values) <= FEW:
        return f"{nearness} of the expected one"
    return f"{nearness} of {_shares(values, partition['weights'])}"


def _quantiles(kwargs: dict[str, Any]) -> str:
    asked = kwargs["quantile_ranges"]
    pairs = zip(asked["quantiles"], asked["value_ranges"], strict=True)
    return "quantiles: " + ", ".join(f"{number(one)} must be {_between(*limits)}" for one, limits in pairs)


def _between(low: Any, high: Any) -> str:
    if low is None:
        return f"at most {number(high)}"
    return f"at least {number(low)}" if high is None else f"between {number(low)} and {number(high)}"


WORDS = {DIVERGENCE: _mix, QUANTILES: _quantiles}
"""What Great Expectations has no words for, only a table or a plot."""


def _shares(values: Iterable[Any], weights: Iterable[float]) -> str:
    return ", ".join(f"{_example(value)} {share(weight)}" for value, weight in zip(values, weights, strict=True))


def _filled(part: dict[str, Any]) -> str:
    template = re.sub(r"(\$v__\d+) (?=\$v__)", r"\1, ", part["template"])
    return Template(template).safe_substitute(part.get("params") or {})


def _shorter(text: str) -> str:
    text = re.sub(r"greater than or equal to (\S+) and less than or equal to (\S+)", r"between \1 and \2", text)
    text = text.replace("greater than or equal to", "at least").replace("less than or equal to", "at most")
    text = re.sub(r"^Values for given compound columns must be unique together: .*", "Must be unique together", text)
    text = re.sub(r"(?<=\d)\.0\b", "", " ".join(text.split()))
    text = re.sub(r"(?<![\w:.])\d+\.\d{5,}(?!\w)", lambda found: number(float(found[0])), text)
    text = re.sub(r"between (\S+) and \1 ", r"exactly \1 ", text)
    return text[:1].lower() + text[1:].rstrip(".")


def observed(raw: dict[str, Any], hidden: bool) -> str:
    """Return what was found, in words."""
    if raw["exception_info"]["raised_exception"]:
        return _raised(str(raw["exception_info"]["exception_message"]))
    found = raw["result"]
    kind, details = raw["expectation_config"]["type"], found.get("details") or {}
    if words := _mismatch(details) or _statistic(kind, found, details):
        return words
    if found.get("unexpected_count") is not None:
        return _unexpected(found["unexpected_count"], found.get("element_count"))
    if hidden:
        return "hidden, because the column is pseudonymised"
    return "as expected" if raw["success"] else "no value"


def _mismatch(details: dict[str, Any]) -> str:
    mismatched = details.get("mismatched")
    listed = sorted(mismatched.items()) if isinstance(mismatched, dict) else ()
    return "; ".join(f"{kind} {number(columns)}" for kind, columns in listed)


def _statistic(kind: str, found: dict[str, Any], details: dict[str, Any]) -> str:
    """Return what was observed of a whole column: a number, quantiles, a mix, or what it lacks."""
    value = found.get("observed_value")
    if isinstance(value, dict) and "quantiles" in value:
        pairs = zip(value["quantiles"], value["values"], strict=True)
        return ", ".join(f"{number(one)} is {number(held)}" for one, held in pairs)
    if value is not None:
        shown = TYPES.get(str(value), str(value)) if kind in TYPED else number(value)
        return shown + _observed_mix(details)
    if isinstance(details.get("observed_partition"), dict):
        return f"values that the expected mix has not{_observed_mix(details)}"
    return f"no {number(missing)}" if (missing := found.get("partial_missing_list")) else ""


def _raised(message: str) -> str:
    """Return why an expectation could not be judged; pandas' words for text in a column of numbers are made plain."""
    return "text where numbers are expected" if any(sign in message for sign in TEXT_SIGNS) else message


def _observed_mix(details: dict[str, Any]) -> str:
    """Return the mix that was found, the largest shares first, as an addition; nothing where there is none."""
    partition = details.get("observed_partition")
    if not isinstance(partition, dict) or not partition.get("values"):
        return ""
    pairs = zip(partition["values"], partition["weights"], strict=True)
    largest = sorted((one for one in pairs if not isinstance(one[1], str)), key=lambda one: -one[1])
    return f": {_shares(*zip(*largest[:FEW], strict=True))}"  # a text tells how many more there are


def _unexpected(count: int, total: int | None) -> str:
    many = number(count) if count else "none"
    return f"{many} unexpected" if total is None else f"{many} of {number(total)} unexpected"


def number(value: Any) -> str:
    """Return a value in words: numbers short and with thousands apart, lists by comma.

    >>> number(1014), number(0.123456789), number(["EWR", "JFK"])
    ('1,014', '0.1235', 'EWR, JFK')
    """
    if isinstance(value, list):
        return ", ".join(number(held) for held in value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "null" if value is None else str(value)
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.4g}" if abs(value) < 1 else f"{value:,.6g}"


def share(ratio: float) -> str:
    """Return a ratio as a percentage that never says none for a few, nor all for most.

    >>> share(0.004), share(0.00001), share(0.99999), share(1)
    ('0.4 %', 'under 0.1 %', 'over 99.9 %', '100 %')
    """
    if 0 < ratio < 0.001:
        return "under 0.1 %"
    return "over 99.9 %" if 0.999 < ratio < 1 else f"{round(100 * ratio, 1):g} %"


def set_aside(quarantined: dict[str, Any]) -> str:
    """Return how many rows were set aside before the rest was judged.

    >>> set_aside({"rows": 12, "ratio": 0.004})
    '12 rows set aside (0.4 %)'
    """
    count = int(quarantined["rows"])
    return f"{count:,} {'row' if count == 1 else 'rows'} set aside ({share(float(quarantined['ratio']))})"


def examples(values: Iterable[Any], most: int) -> list[str]:
    """Return distinct unexpected values in the order of their rows; a row of several columns reads ``name=value``."""
    shown = dict.fromkeys(_example(value) for value in values if value is not None)
    return list(shown)[:most]


def _example(value: Any) -> str:
    """Return a value as it stands: a flight number takes no comma."""
    if isinstance(value, dict):
        return ", ".join(f"{column}={_example(held)}" for column, held in value.items())
    if value is None or value == "":
        return "null" if value is None else "(empty text)"
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def failed(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the expectations that did not hold, the gravest first."""
    return sorted((row for row in rows if not row["success"]), key=lambda row: SEVERITY_ORDER[row["severity"]])


def sentence(outcome: str, rows: list[dict[str, Any]], count: int) -> str:
    """Return one sentence that sums up a validation.

    Parameters
    ----------
    outcome : str
        ``pass``, ``warn`` or ``fail``.
    rows : list of dict
        The result's expectations.
    count : int
        How many rows were validated.
    """
    broken = failed(rows)
    if not broken:
        return f"All {len(rows)} expectations held for {count:,} rows."
    opening = {
        "fail": f"Refused: {len(broken)} of {len(rows)} expectations did not hold",
        "warn": f"Warning: {len(broken)} of {len(rows)} expectations did not hold",
        "pass": f"Passed with a remark: {len(broken)} of {len(rows)} expectations did not hold",
    }[outcome]
    named = "; ".join(shortfall(row) for row in broken[:NAMED])
    more = f"; and {len(broken) - NAMED} more" if len(broken) > NAMED else ""
    return f"{opening} for {count:,} rows: {named}{more}."


def aside(many: int, total: int) -> str:
    """Return how many rows were set aside, as a sentence that follows another; nothing if none were.

    >>> aside(12, 3000)
    ' 12 rows (0.4 %) were set aside, each with its reason; the rest goes on.'
    """
    counted = "row" if many == 1 else "rows"
    told = "was set aside, with its reason" if many == 1 else "were set aside, each with its reason"
    return f" {many:,} {counted} ({100 * many / total:.2g} %) {told}; the rest goes on." if many else ""


def open_limit(expectation: dict[str, Any]) -> str:
    """Return what an expectation would ask for if there were enough earlier intervals to compare with."""
    if "relative_to" not in expectation:
        return visible(expectation["type"])
    kinds = {"weekday": "the same weekday's", "recent": "recent intervals'", "season": "this season's in earlier years"}
    kind = kinds[expectation["relative_to"]]
    return f"within {expectation['tolerance']:.0%} of {kind} median"


def shortfall(row: dict[str, Any]) -> str:
    """Return one expectation that did not hold, with what was found."""
    subject = f"{row['column']}: " if row["column"] else ""
    return f"{subject}{row['limit']} (found {row['observed']})"


def day(start: datetime, end: datetime, timezone: str) -> str:
    """Return an interval as people say it on the clock of a time zone.

    >>> from datetime import UTC
    >>> day(datetime(2013, 2, 8, 5, tzinfo=UTC), datetime(2013, 2, 9, 5, tzinfo=UTC), "America/New_York")
    'Friday 8 February 2013'
    """
    zone = ZoneInfo(timezone)
    first, last = start.astimezone(zone), end.astimezone(zone)
    words = f"{first:%A} {first.day} {first:%B %Y}"
    if not (first.hour or first.minute) and last.replace(tzinfo=None) - first.replace(tzinfo=None) == timedelta(days=1):
        return words
    until = f"{last:%H:%M}" if last.date() == first.date() else f"{last.day} {last:%B %Y %H:%M}"
    return f"{words}, {first:%H:%M} to {until} {timezone}"
