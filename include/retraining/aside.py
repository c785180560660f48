"""Reads what validation has set aside, verified against the result that says so; personal columns stay hidden."""

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from include.retraining import keys, signing
from include.retraining.errors import BadInput, ObjectMissing
from include.retraining.inventory import placed
from include.retraining.spec import ModelSpec
from include.retraining.store import Store, read
from include.retraining.windows import Interval

if TYPE_CHECKING:
    import pandas as pd

HIDDEN = "hidden"


def listed(store: Store, model: str) -> list[dict[str, Any]]:
    """Return one line for each interval that rows were set aside of, oldest first."""
    return [
        {
            "interval": keys.span(interval),
            "on": result["on"],
            "rows": result["quarantined"]["rows"],
            "share": result["quarantined"]["ratio"],
            "snapshot": result["rows_sha256"][:12],
            "suite": result["suite_sha256"][:12],
        }
        for interval, result in _results(store, model)
    ]


def rows(store: Store, spec: ModelSpec, span: str) -> list[dict[str, Any]]:
    """Return the rows of one interval that were set aside, each with its reason, pseudonymised columns hidden.

    Raises
    ------
    BadInput
        Nothing of that interval was set aside; the message lists what was.
    IntegrityError
        The rows are not those that the result tells of.
    """
    found = [result for interval, result in _results(store, spec.name) if keys.span(interval) == span]
    if not found:
        others = ", ".join(dict.fromkeys(one["interval"] for one in listed(store, spec.name))) or "none"
        raise BadInput(f"Nothing was set aside of {span!r}. Intervals with rows set aside: {others}.")
    hidden = sorted(spec.pseudonymised)
    return [line for one in found for line in _shown(_read(store, one["quarantined"]), hidden)]


def _results(store: Store, model: str) -> Iterator[tuple[Interval, dict[str, Any]]]:
    for _, one in placed(model, store.list(keys.quarantines(model))):
        interval, (rows_sha, _, suite_sha) = keys.interval_of(model, one.key), _name(one.key).partition("-")
        result = _result(store, keys.validation(model, interval, rows_sha, suite_sha))
        if result.get("quarantined", {}).get("key") == one.key:
            yield interval, result


def _result(store: Store, key: str) -> dict[str, Any]:
    """Return a validation's result; nothing if the run was killed before it wrote one."""
    try:
        return read(store, key, lambda data: signing.unseal(data, key))
    except ObjectMissing:
        return {}


def _name(key: str) -> str:
    return key.rpartition("/")[2].removesuffix(".parquet")


def _read(store: Store, told: dict[str, Any]) -> "pd.DataFrame":
    import pandas as pd

    def check(data: bytes) -> pd.DataFrame:
        signing.check_bytes((signing.sha256(data), len(data)), told, told["key"])
        return pd.read_parquet(io.BytesIO(data))

    return read(store, told["key"], check, told["size_bytes"])


def _shown(frame: "pd.DataFrame", hidden: list[str]) -> Iterator[dict[str, Any]]:
    """Yield rows as plain values, the reason first."""
    for line in frame.to_dict("records"):
        ordered = {"position": line.pop("position"), "reason": line.pop("reason"), **line}
        yield {str(name): HIDDEN if name in hidden else value for name, value in ordered.items()}
