"""Door: fits a model of some intervals once, and keeps what it predicts for later ones in a private folder.

Kept are numbers alone, as ``.npz`` without pickles: what is damaged or of another release is fitted again.
"""

import hashlib
import json
import logging
import os
import tempfile
import time
import zipfile
import zlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from include.retraining import fitting, importance, judging, libraries, parsimony, predicting, training
from include.retraining.errors import DataError, SpecError
from include.retraining.replayed import Fitted, Floats, History
from include.retraining.spec import Candidate
from include.retraining.windows import Interval

log = logging.getLogger(__name__)
FORMAT_VERSION = 1
AHEAD = 32
"""So many later intervals are predicted at once; more when they are asked for, for few models serve so long."""
ESTIMATORS = 8
"""So many fitted estimators stay in memory, for those that are asked for more."""
BROKEN = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error, TypeError)


@dataclass
class _Kept:
    """A fitted model, and what it predicts, by digest of the rows."""

    fitted: Fitted
    predictions: dict[str, Floats]


class Fits:
    """Models of one history.

    Parameters
    ----------
    history : History
    candidates : sequence of Candidate
        One; or several, of which each fit chooses the simplest that is good enough, as ``select_challenger`` does.
    folder : Path or None
        Where predictions are kept; nowhere if None.
    tell : callable
        Is called after each real fit.
    """

    def __init__(
        self,
        history: History,
        candidates: Sequence[Candidate],
        folder: Path | None,
        tell: Callable[[], None] = lambda: None,
    ) -> None:
        self.history, self.candidates, self.tell = history, tuple(candidates), tell
        self.folder = None if folder is None else private(folder / history.spec.name)
        gap = replace(history.spec.training, gap_intervals=history.spec.gap_intervals)
        self._spec = replace(history.spec, training=gap)  # the same, without a look at the schedule for each key
        self.made = 0
        """Models that were really fitted."""
        self._kept: dict[str, _Kept | None] = {}
        self._estimators: OrderedDict[str, Any] = OrderedDict()
        used = [*history.spec.features, history.spec.label]  # a fit looks at nothing else
        self._digests = {one: digest(rows[used]) for one, rows in history.rows.items()}
        self._places = {one: place for place, one in enumerate(history.intervals)}

    def get(self, intervals: Sequence[Interval]) -> Fitted | None:
        """Return the model of these intervals; None where a selection finds nothing that beats the floor.

        Raises
        ------
        DataError
            It cannot be trained.
        """
        trained = tuple(intervals)
        key = self._key(trained)
        if key not in self._kept:
            self._kept[key] = self._read(key, trained) if self._path(key) else None
            if self._kept[key] is None:
                self._kept[key] = self._fit(key, trained)
        kept = self._kept[key]
        return kept.fitted if kept and kept.fitted.candidate else None

    def predictions(self, fitted: Fitted, interval: Interval) -> Floats:
        """Return what a model predicts for a later interval, in the shape of the task."""
        kept, wanted = self._kept[fitted.key], self._digests[interval]
        if kept is None:
            raise KeyError(fitted.key)
        if wanted not in kept.predictions:
            is_near = self._places[interval] - self._places[fitted.trained[-1]] <= AHEAD
            self._predict(kept, AHEAD if is_near else None)
            self._write(kept)
        return kept.predictions[wanted]

    def _key(self, trained: tuple[Interval, ...]) -> str:
        if len(self.candidates) == 1:
            return self._version(self.candidates[0], trained)
        named = list[str]()
        for one in self.candidates:
            try:
                named.append(self._version(one, trained))
            except SpecError as error:  # its path leads nowhere; the others go on, as in a run
                named.append(str(error))
        sources = [Path(str(module.__file__)).read_bytes() for module in (fitting, parsimony)]
        told = json.dumps([named, [hashlib.sha256(one).hexdigest() for one in sources]])
        return f"selected-{hashlib.sha256(told.encode()).hexdigest()[:24]}"

    def _version(self, candidate: Candidate, trained: tuple[Interval, ...]) -> str:
        digests = [self._digests[one] for one in trained]
        return training.version_id(self._spec, candidate, digests, trained[-1].end, libraries.versions())

    def _fit(self, key: str, trained: tuple[Interval, ...]) -> _Kept:
        frames = [self.history.rows[one] for one in trained]
        started = time.process_time()
        name, estimator = self._chosen(frames)
        spent_s = time.process_time() - started
        fitted = Fitted(key, name, trained, spent_s, judging.classes(estimator) if name else ())
        kept, self.made = _Kept(fitted, {}), self.made + 1
        if name:
            self._remember(key, estimator)
            self._predict(kept, AHEAD)
        self._write(kept)
        self.tell()
        return kept

    def _chosen(self, frames: list[pd.DataFrame]) -> tuple[str, Any]:
        """Return a candidate's name and its estimator; no name where none beats the floor."""
        spec, rows = self.history.spec, pd.concat(frames, ignore_index=True)
        if len(self.candidates) == 1:
            return self.candidates[0].name, self._estimator(self.candidates[0], frames, rows)
        losses, made, failed = dict[str, list[float]](), dict[str, Any](), list[str]()
        for one in self.candidates:
            try:
                losses[one.name] = fitting.fold_losses(one, frames, spec)
                made[one.name] = self._estimator(one, frames, rows)
            except (DataError, SpecError) as error:  # the others go on, as in a run
                failed.append(str(error))
        if not made:
            raise DataError(" ".join(failed))
        floor = fitting.fold_losses(None, frames, spec)
        order = [one.name for one in self.candidates if one.name in made]
        name = parsimony.select({one: losses[one] for one in order}, order, floor, spec.task)["candidate"]
        return (name, made[name]) if name else ("", None)

    def _estimator(self, candidate: Candidate, frames: list[pd.DataFrame], rows: pd.DataFrame) -> Any:
        spec = self.history.spec
        return training.fit(candidate, rows, importance.narrow(spec, importance.select(candidate, frames, spec)))

    def _remember(self, key: str, estimator: Any) -> None:
        self._estimators[key] = estimator
        if len(self._estimators) > ESTIMATORS:
            self._estimators.popitem(last=False)

    def _predict(self, kept: _Kept, most: int | None) -> None:
        """Add what a model predicts for so many later intervals, or for all; one that is gone is fitted again."""
        fitted, after = kept.fitted, self._places[kept.fitted.trained[-1]] + 1
        later = self.history.intervals[after:] if most is None else self.history.intervals[after : after + most]
        wanted = [one for one in later if one in self._digests and self._digests[one] not in kept.predictions]
        if not wanted:
            return
        if fitted.key not in self._estimators:
            self._remember(fitted.key, self._chosen([self.history.rows[one] for one in fitted.trained])[1])
            self.made += 1
        frames = [self.history.rows[one] for one in wanted]
        rows = pd.concat(frames, ignore_index=True)
        found, _ = predicting.predict(self._estimators[fitted.key], rows, self.history.spec, fitted.key)
        parts = np.split(found, np.cumsum([len(one) for one in frames])[:-1])
        kept.predictions.update(zip((self._digests[one] for one in wanted), parts, strict=True))

    def _path(self, key: str) -> Path | None:
        return None if self.folder is None else self.folder / f"{key}.npz"

    def _read(self, key: str, trained: tuple[Interval, ...]) -> _Kept | None:
        """Return what was kept of a model, or None if there is nothing that can be used."""
        path = self._path(key)
        try:
            with Path(str(path)).open("rb") as file, np.load(file, allow_pickle=False) as held:
                about = json.loads(str(held["about"]))
                values, lengths = held["predictions"], held["lengths"].tolist()
            return _whole(about, values, lengths, key, trained)
        except BROKEN:
            return None

    def _write(self, kept: _Kept) -> None:
        path = self._path(kept.fitted.key)
        if path is None:
            return
        about = {
            "format_version": FORMAT_VERSION,
            "key": kept.fitted.key,
            "candidate": kept.fitted.candidate,
            "cpu_s": kept.fitted.cpu_s,
            "classes": list(kept.fitted.classes),
            "digests": list(kept.predictions),
        }
        parts = list(kept.predictions.values())
        values = np.concatenate(parts) if parts else np.zeros(0)
        lengths = np.array([len(one) for one in parts], dtype="int64")
        _put(path, about=np.array(json.dumps(about)), predictions=values, lengths=lengths)


def _whole(about: Any, values: Floats, lengths: list[int], key: str, trained: tuple[Interval, ...]) -> _Kept:
    """Return what a file holds; raises ValueError or KeyError if it is not what was written."""
    digests = about["digests"]
    is_sound = len(digests) == len(lengths) and sum(lengths) == len(values) and bool(np.isfinite(values).all())
    if (about["format_version"], about["key"]) != (FORMAT_VERSION, key) or not is_sound:
        raise ValueError("not what was written")
    fitted = Fitted(key, str(about["candidate"]), trained, float(about["cpu_s"]), tuple(about["classes"]))
    parts = np.split(values, np.cumsum(lengths)[:-1]) if lengths else []
    return _Kept(fitted, dict(zip(digests, parts, strict=True)))


def digest(rows: pd.DataFrame) -> str:
    """Return what tells rows from all others: their values, columns and types, in order."""
    values = pd.util.hash_pandas_object(rows, index=False).to_numpy()
    named = repr([(name, str(kind)) for name, kind in rows.dtypes.items()])
    return hashlib.sha256(named.encode() + values.tobytes()).hexdigest()


def default_folder() -> Path:
    """Return where a user's caches lie: ``XDG_CACHE_HOME`` or ``~/.cache``, and there a folder of ours."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if Path(base).is_absolute() else Path.home() / ".cache") / "airflow-retraining" / "replay"


def private(folder: Path) -> Path:
    """Make a folder that nobody else may read; raises DataError if that cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.chmod(0o700)
    except OSError as error:
        raise DataError(f"{folder} cannot be used for the cache: {error.strerror}. Give another --cache.") from None
    return folder


def _put(path: Path, **arrays: Any) -> None:
    """Write a file whole or not at all; a full disk costs the cache, not the replay."""
    part = None
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as out:
            part = Path(out.name)
            np.savez(out, **arrays)
        part.replace(path)
    except OSError as error:
        log.warning("%s could not be kept (%s): it will be fitted again.", path, error.strerror)
        if part is not None:
            part.unlink(missing_ok=True)
