"""What the run tab shows: where a run's record lies and what it says, read defensively."""

import json
import re
from dataclasses import dataclass
from typing import Any

from include.retraining import keys, signing
from include.retraining.errors import IntegrityError
from include.retraining.store import Store

RECORD = re.compile(r"record-(\d+)\.json")
LONGEST_RUN_ID = 250
"""Airflow's own limit."""
WORDS = {
    "keep": "Keep the champion",
    "retrain": "Retrain",
    "runner-up": "Compare the runner-up",
    "insufficient data": "Insufficient data",
    "blocked": "Blocked",
    "failed": "Failed",
}


@dataclass(frozen=True)
class Story:
    """What a run has told so far."""

    decision: str = ""
    """The answer in words; empty before there is one."""
    sentences: tuple[str, ...] = ()
    validation: str = ""
    """Validation in one sentence; empty before it has been reached."""
    span: str = ""
    name: str = ""
    """The interval and the name of its Data Docs page, where there is one."""


def find(store: Store, model: str, run_id: str) -> str | None:
    """Return the folder of a run in the store, by its hint or else by looking through all runs; None if unknown."""
    if len(run_id) > LONGEST_RUN_ID:
        return None
    key = _hinted(store, model, run_id) or _listed(store, model, run_id)
    return key.removesuffix("inputs.json") if key else None


def story(store: Store, prefix: str) -> Story:
    """Return what the current record of a run says."""
    sections = _current(store, prefix)
    validation, decision, report = (_section(sections, name) for name in ("validation", "decision", "report"))
    told = report if report.get("answer") else decision
    answer = str(told.get("answer") or "")
    span, name = _page(str(validation.get("page") or ""))
    return Story(
        decision=WORDS.get(answer, answer),
        sentences=tuple(str(one) for one in told.get("sentences") or ()),
        validation=str(validation.get("sentence") or ""),
        span=span,
        name=name,
    )


def _current(store: Store, prefix: str) -> dict[str, Any]:
    """Return the sections of the highest record; ``records.py`` knows the same, and imports pandas."""
    numbers = (RECORD.fullmatch(found.key.removeprefix(prefix)) for found in store.list(prefix))
    number = max((int(one[1]) for one in numbers if one), default=None)
    if number is None:
        return {}
    key = keys.record(prefix, number)
    sections = signing.unseal(store.get(key), key).get("sections")
    return sections if isinstance(sections, dict) else {}


def _section(sections: dict[str, Any], name: str) -> dict[str, Any]:
    found = sections.get(name)
    return found if isinstance(found, dict) else {}


def _page(key: str) -> tuple[str, str]:
    """Return span and name from ``{model}/data-docs/{span}/{name}``."""
    parts = key.split("/")
    return (parts[2], parts[3]) if len(parts) == 4 and parts[1] == "data-docs" else ("", "")


def _hinted(store: Store, model: str, run_id: str) -> str | None:
    key = keys.run_hint(model, run_id)
    try:
        inputs = str(signing.read_json(store.get(key), key)["inputs"])
        is_ours = inputs.startswith(keys.runs(model)) and inputs.endswith("/inputs.json")
        return inputs if is_ours and _is_of(store, inputs, run_id) else None
    except (IntegrityError, KeyError):
        return None


def _listed(store: Store, model: str, run_id: str) -> str | None:
    wanted = f"/{keys.safe(run_id)}/inputs.json"
    found = (one.key for one in store.list(keys.runs(model)) if one.key.endswith(wanted))
    return next((key for key in found if _is_of(store, key, run_id)), None)


def _is_of(store: Store, key: str, run_id: str) -> bool:
    """Return whether inputs are this run's: run ids are made safe for keys, and two may then look the same."""
    try:
        return bool(json.loads(store.get(key)).get("run") == run_id)
    except (IntegrityError, ValueError, AttributeError):
        return False
