"""The corridor of `score_<model>`: one function per task, as in `steps.py`."""

import contextlib
import logging
from collections.abc import Iterator
from typing import Any

from include.retraining import specs
from include.retraining.errors import RetrainingError
from include.retraining.spec import ModelSpec

log = logging.getLogger(__name__)
Run = dict[str, Any]
"""What travels between the tasks: the interval, its snapshot, and the log entry by which a version was live."""


def choose_interval(
    model: str,
    *,
    params: dict[str, Any] | None = None,
    run_id: str | None = None,
    dag_run: Any = None,
    data_interval_start: Any = None,
    data_interval_end: Any = None,
) -> Run:
    """Find the interval and the version that was live when it began, and freeze the interval's rows.

    Where no version was live, or no rows came, the log says so, nothing is scored, and the run succeeds. Fails at once
    on a wrong form, Connection or query; a server that does not answer is tried again.
    """
    from include.retraining import intake, serving

    trigger, spec = intake.trigger(run_id, dag_run, (data_interval_start, data_interval_end), params), specs.load(model)
    with _told_if_it_fails(spec):
        found = serving.choose(spec, trigger, intake.now_utc())
    log.info("%s", found.sentence)
    return serving.to_plain(found)


def score_interval(found: Run, *, outlet_events: Any = None) -> dict[str, Any]:
    """Let that version score every row, corrected if a correction is in force, and keep what it says.

    The first predictions of a version for an interval stand: a rerun finds them. Fails if the version is not what was
    registered, or if what it gives is no prediction; then nothing is written. Roll back if it happens again.
    """
    from include.retraining import assets, predictions, serving

    spec = specs.load(found["model"])
    with _told_if_it_fails(spec):
        done, sentence = serving.score(spec, serving.from_plain(found))
    log.info("%s", sentence)
    result = {**predictions.told(done), "interval": found["span"], "sentence": sentence}
    assets.announce_predictions(outlet_events, spec.name, result)
    return result


@contextlib.contextmanager
def _told_if_it_fails(spec: ModelSpec) -> Iterator[None]:
    """Send one message if what is done here fails for good: somebody waits for these predictions."""
    from include.retraining import alerts

    try:
        yield
    except RetrainingError as error:
        alerts.tell_last(spec, f"{spec.name}: an interval was not scored. {error}", "error", error)
        raise
