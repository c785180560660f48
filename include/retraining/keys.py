"""Every object key, built and read here and nowhere else. Pure: dates and digests are passed in."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from include.retraining.windows import Interval

STAMP = "%Y%m%dT%H%M%SZ"
HEADS = {"manifest.json", "parquet.json", "result.json", "inputs.json"}
"""Parts without which what lies beside them does not exist."""
_SPAN, _NAME = r"(?P<span>[^/]+)/", r"(?P<group>[^/]+)"
_FILES = _NAME + r"/(?P<part>[^/]+)"
_JSON = _NAME + r"\.(?P<part>json)"
_ROWS = _SPAN + _NAME + r"\.(?P<part>parquet)"
_SHAPES = {
    "snapshots": ("snapshots", _SPAN + _NAME + r"/(?P<part>rows\.parquet|manifest\.json)"),
    "labels": ("labels", _SPAN + _NAME + r"\.(?P<part>parquet(?:\.json)?)"),
    "quarantine": ("quarantine", _ROWS),
    "validations": ("validations", _SPAN + _NAME + r"/(?P<part>result\.json)"),
    "data-docs": ("validations", _SPAN + _NAME + r"\.(?P<part>html)"),
    "predictions": ("predictions", _SPAN + _NAME + r"\.(?P<part>parquet(?:\.json)?)"),
    "calibrations": ("calibrations", _SPAN + _NAME + r"\.(?P<part>json)"),
    "runs": ("runs", _SPAN + _NAME + r"/(?P<part>inputs\.json|record-[1-9]\d*\.json)"),
    "candidates": ("candidates", _FILES),
    "versions": ("versions", _FILES),
    "promotions": ("promotions", r"(?P<group>\d{8,})\.(?P<part>json)"),
    "hints/runs": ("run hints", _JSON),
    "hints": ("hints", r"(?P<group>champion)\.(?P<part>json)"),
    "holds": ("holds", _JSON),
    "sweeps": ("sweeps", _JSON),
    "collections": ("collections", _JSON),
}
"""Per folder: the kind of object, and what follows in its keys."""


@dataclass(frozen=True)
class Place:
    """What a key tells of its object."""

    kind: str
    """The folder's name; a page of Data Docs belongs to its validation, and a run's hint is one of its own kind."""
    interval: Interval | None
    group: str
    """The name that the object shares with those that are complete or absent together with it."""
    part: str


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


def place(model: str, key: str) -> Place | None:
    """Return what a key of a model tells, or None for one that is not built here."""
    rest = key.removeprefix(everything(model))
    folder = next((one for one in _SHAPES if rest.startswith(f"{one}/")), None)
    if folder is None:
        return None
    kind, shape = _SHAPES[folder]
    found = re.fullmatch(shape, rest.removeprefix(f"{folder}/"))
    if found is None:
        return None
    parts = found.groupdict()
    try:
        interval = parse_span(parts["span"]) if "span" in parts else None
    except ValueError:
        return None
    return Place(kind, interval, parts["group"], parts["part"])


def interval_of(model: str, key: str) -> Interval:
    """Return the interval of an object; raises ValueError for one that belongs to none."""
    found = place(model, key)
    if found is None or found.interval is None:
        raise ValueError(f"{key!r} belongs to no interval of {model!r}.")
    return found.interval


def everything(model: str) -> str:
    """``{model}/``."""
    return f"{model}/"


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


def holds(model: str) -> str:
    """``{model}/holds/``."""
    return f"{model}/holds/"


def hold(model: str, token: str) -> str:
    """``{model}/holds/{token}.json``: somebody relies on objects that nothing names yet."""
    return f"{holds(model)}{token}.json"


def sweeps(model: str) -> str:
    """``{model}/sweeps/``."""
    return f"{model}/sweeps/"


def sweep(model: str, token: str) -> str:
    """``{model}/sweeps/{token}.json``: maintenance is deleting right now."""
    return f"{sweeps(model)}{token}.json"


def collections(model: str) -> str:
    """``{model}/collections/``."""
    return f"{model}/collections/"


def collection(model: str, moment: datetime, sha256: str) -> str:
    """``{model}/collections/{moment}-{sha12}.json``: what maintenance deleted, when and why; signed."""
    return f"{collections(model)}{stamp(moment)}-{sha256[:12]}.json"


def quarantines(model: str, interval: Interval | None = None) -> str:
    """``{model}/quarantine/[{start}--{end}/]``."""
    return _of_interval(f"{model}/quarantine/", interval)


def quarantine(model: str, interval: Interval, rows_sha256: str, suite_sha256: str) -> str:
    """``{model}/quarantine/{start}--{end}/{snapshot12}-{suite12}.parquet``: rows set aside, with the reason."""
    return f"{quarantines(model, interval)}{rows_sha256[:12]}-{suite_sha256[:12]}.parquet"


def predictions(model: str, interval: Interval | None = None) -> str:
    """``{model}/predictions/[{start}--{end}/]``."""
    return _of_interval(f"{model}/predictions/", interval)


def prediction_rows(model: str, interval: Interval, version_id: str, correction_sha256: str | None) -> str:
    """``{model}/predictions/{start}--{end}/{version}-{calibration12|raw}.parquet``; its manifest ends in ``.json``."""
    return f"{predictions(model, interval)}{version_id}-{(correction_sha256 or 'raw')[:12]}.parquet"


def calibrations(model: str, interval: Interval | None = None) -> str:
    """``{model}/calibrations/[{start}--{end}/]``."""
    return _of_interval(f"{model}/calibrations/", interval)


def calibration(model: str, interval: Interval, version_id: str, labels_sha256: str) -> str:
    """``{model}/calibrations/{start}--{end}/{version}-{labels12}.json``: the correction in force for an interval."""
    return f"{calibrations(model, interval)}{version_id}-{labels_sha256[:12]}.json"


def probe(token: str, name: str = "") -> str:
    """``doctor/{token}[-{name}]``: an object that proves what a store promises, and is removed again."""
    return f"doctor/{token}-{name}" if name else f"doctor/{token}"


def is_part(text: str) -> bool:
    """Return whether a text can be one part of a key: whatever could lead elsewhere cannot.

    >>> [is_part(text) for text in ("20130201-0123456789ab", "", "..", "../x", "/x", "a b")]
    [True, False, False, False, False, False]
    """
    return re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}", text) is not None


def _of_interval(prefix: str, interval: Interval | None) -> str:
    return prefix if interval is None else f"{prefix}{span(interval)}/"
