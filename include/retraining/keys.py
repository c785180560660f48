"""Every object key, built here and nowhere else. Pure: dates and digests are passed in."""

import re
from datetime import UTC, datetime

from include.retraining.windows import Interval

STAMP = "%Y%m%dT%H%M%SZ"


def stamp(moment: datetime) -> str:
    """Return a moment as its key form in UTC, ``20130201T050000Z``."""
    return moment.astimezone(UTC).strftime(STAMP)


def parse_stamp(text: str) -> datetime:
    """Return the moment that ``stamp`` wrote; raises ValueError for anything else."""
    moment = datetime.strptime(text, STAMP).replace(tzinfo=UTC)
    if stamp(moment) != text:
        raise ValueError(f"{text!r} is not a moment: expected one like 20130201T050000Z.")
    return moment


def span(interval: Interval) -> str:
    """Return an interval as its key form, ``{start}--{end}``."""
    return f"{stamp(interval.start)}--{stamp(interval.end)}"


def parse_span(text: str) -> Interval:
    """Return the interval that ``span`` wrote; raises ValueError for anything else."""
    start, separator, end = text.partition("--")
    if not separator:
        raise ValueError(f"{text!r} is not an interval: expected START--END like 20130201T050000Z--20130202T050000Z.")
    return Interval(parse_stamp(start), parse_stamp(end))


def safe(run_id: str) -> str:
    """Return an Airflow run id as one key segment: letters, digits, ``_``, ``-`` and ``.`` only."""
    return re.sub(r"[^A-Za-z0-9_.-]", "_", run_id).lstrip(".") or "_"


def snapshots(model: str, interval: Interval | None = None) -> str:
    """``{model}/snapshots/[{start}--{end}/]``."""
    return _of_interval(f"{model}/snapshots/", interval)


def snapshot_rows(model: str, interval: Interval, as_of: datetime, sha256: str) -> str:
    """``{model}/snapshots/{start}--{end}/{as-of}-{sha12}/rows.parquet``; manifest.json lies beside."""
    return f"{snapshots(model, interval)}{stamp(as_of)}-{sha256[:12]}/rows.parquet"


def labels(model: str, interval: Interval | None = None) -> str:
    """``{model}/labels/[{start}--{end}/]``."""
    return _of_interval(f"{model}/labels/", interval)


def label_rows(model: str, interval: Interval, as_of: datetime, sha256: str) -> str:
    """``{model}/labels/{start}--{end}/{as-of}-{sha12}.parquet``; its manifest ends in ``.json``."""
    return f"{labels(model, interval)}{stamp(as_of)}-{sha256[:12]}.parquet"


def rows_manifest(rows_key: str) -> str:
    """``…/rows.parquet`` has ``…/manifest.json``, labels in ``….parquet`` have ``….parquet.json``."""
    folder, _, name = rows_key.rpartition("/")
    return f"{folder}/manifest.json" if name == "rows.parquet" else f"{rows_key}.json"


def validations(model: str, interval: Interval | None = None) -> str:
    """``{model}/validations/[{start}--{end}/]``."""
    return _of_interval(f"{model}/validations/", interval)


def validation(model: str, interval: Interval, rows_sha256: str, suite_sha256: str) -> str:
    """``{model}/validations/{start}--{end}/{snapshot12}-{suite12}/result.json``."""
    return f"{validations(model, interval)}{rows_sha256[:12]}-{suite_sha256[:12]}/result.json"


def data_docs(model: str, interval: Interval | None = None) -> str:
    """``{model}/data-docs/[{start}--{end}/]``."""
    return _of_interval(f"{model}/data-docs/", interval)


def data_docs_page(model: str, interval: Interval, rows_sha256: str, suite_sha256: str) -> str:
    """``{model}/data-docs/{start}--{end}/{snapshot12}-{suite12}.html``."""
    return f"{data_docs(model, interval)}{rows_sha256[:12]}-{suite_sha256[:12]}.html"


def runs(model: str) -> str:
    """``{model}/runs/``."""
    return f"{model}/runs/"


def run(model: str, interval: Interval, run_id: str) -> str:
    """``{model}/runs/{start}--{end}/{run}/``."""
    return f"{_of_interval(runs(model), interval)}{safe(run_id)}/"


def inputs(model: str, interval: Interval, run_id: str) -> str:
    """``{model}/runs/{start}--{end}/{run}/inputs.json``."""
    return f"{run(model, interval, run_id)}inputs.json"


def record(run_prefix: str, number: int) -> str:
    """``{model}/runs/{start}--{end}/{run}/record-{n}.json``."""
    return f"{run_prefix}record-{number}.json"


def run_hint(model: str, run_id: str) -> str:
    """``{model}/hints/runs/{run}.json``: where a run's inputs lie; a cache, never the truth."""
    return f"{model}/hints/runs/{safe(run_id)}.json"


def candidates(model: str) -> str:
    """``{model}/candidates/``."""
    return f"{model}/candidates/"


def candidate(model: str, version: str, name: str = "") -> str:
    """``{model}/candidates/{id}/[{name}]``."""
    return f"{candidates(model)}{version}/{name}"


def versions(model: str) -> str:
    """``{model}/versions/``."""
    return f"{model}/versions/"


def version(model: str, version_id: str, name: str = "") -> str:
    """``{model}/versions/{version}/[{name}]``."""
    return f"{versions(model)}{version_id}/{name}"


def promotions(model: str) -> str:
    """``{model}/promotions/``."""
    return f"{model}/promotions/"


def promotion(model: str, number: int) -> str:
    """``{model}/promotions/{00000001}.json``."""
    return f"{promotions(model)}{number:08d}.json"


def champion_hint(model: str) -> str:
    """``{model}/hints/champion.json``: a recent log entry's number; a cache, never the truth."""
    return f"{model}/hints/champion.json"


def probe(token: str) -> str:
    """``doctor/{token}``: an object that proves what a store promises, and is removed again."""
    return f"doctor/{token}"


def _of_interval(prefix: str, interval: Interval | None) -> str:
    return prefix if interval is None else f"{prefix}{span(interval)}/"
