"""A whole train, select, compare, promote as the steps of a run do it, over toy data, and what has to hold afterwards.

Fits, folds, scores, decoded Parquet and unpickled artifacts are remembered: they are pure functions of bytes.
Everything that touches the store runs anew each time.
"""

import contextlib
import importlib.metadata
import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from include.retraining import (
    challengers,
    comparing,
    drift,
    evaluation,
    fitting,
    keys,
    labelling,
    outcome,
    promotion_log,
    records,
    registry,
    signing,
    smoke,
    snapshots,
    training,
    unpickling,
    verifying,
)
from include.retraining.desk import Desk
from include.retraining.errors import PromotionConflict, StoreUnsafe
from include.retraining.registry import ARTIFACT, CARD, SMOKE, Registry
from include.retraining.spec import Candidate, Windows
from include.retraining.store import Store
from tests.retraining import desks, toy

SPEC = replace(
    toy.spec(),
    candidates=(Candidate("logistic_regression"), Candidate("hist_gradient_boosting", {"max_iter": 5})),
    numeric=("weight",),
    categorical=(),
    observed=(),
    privacy={},
    slices=(),
    windows=Windows(4, 2, 2, 20, 0.8),
)
FRAMES = [toy.rows(number) for number in range(6)]
MODEL = SPEC.name
KEYRING = signing.Keyring("key-1", {"key-1": "0123456789abcdef" * 4})
STEPS = ("train one", "train two", "select", "compare", "promote")
VARIANTS = ("no champion yet", "a champion is beaten", "a rerun of a finished run", "somebody else promotes in between")
CHAMPION, RIVAL = "20231220-00000000c0de", "20240105-0000000a1b2c"
TRIES = 4
"""The first and three retries, one less than the DAGs make."""
Objects = dict[str, bytes]


class Clock(datetime):
    """The local clock: it moves on a second whenever it is read, so no two tries write the same bytes."""

    ticks = itertools.count()

    @classmethod
    def now(cls, tz: Any = None) -> datetime:
        return datetime(2031, 5, 6, tzinfo=UTC) + timedelta(seconds=next(cls.ticks))


@contextlib.contextmanager
def remembered() -> Iterator[None]:
    """Remember what pure functions returned, read windows one object after the other, and let the clock tick."""
    memory: dict[Any, Any] = {}

    def remember(place: Any, name: str, key: Callable[..., Any]) -> None:
        found = getattr(place, name)

        def asked(*given: Any, **named: Any) -> Any:
            at = (name, key(*given, **named))
            if at not in memory:
                memory[at] = (found(*given, **named), given)  # holds what its key is the identity of
            return memory[at][0]

        patch.setattr(place, name, asked)

    with pytest.MonkeyPatch.context() as patch:
        remember(pd, "read_parquet", lambda source: source.getvalue())
        remember(labelling, "labelled", lambda rows, known, _: (id(rows), id(known)))
        remember(fitting, "fold_losses", lambda candidate, frames, _: (candidate and candidate.name, len(frames)))
        remember(training, "treatment", lambda rows, _: rows["weight"].to_numpy().tobytes())
        remember(drift, "sketch", lambda frames, _, days, guesses: (*map(id, frames), *map(id, guesses)))
        remember(evaluation, "score", lambda labels, guess: (labels.tobytes(), guess.tobytes()))
        remember(importlib.metadata, "version", lambda name: name)
        remember(training, "version_id", lambda spec, candidate, digests, *_: (candidate.name, tuple(digests)))
        patch.setattr(training, "fit", lambda candidate, rows, _: fitted(candidate.name, rows))
        remember(training, "fit", lambda candidate, rows, _: (candidate.name, len(rows)))
        remember(training, "predict", lambda estimator, rows, _: (id(estimator), id(rows)))
        remember(fitting, "_files", lambda _, estimator, rows, __: (id(estimator), rows["weight"].to_numpy().tobytes()))
        remember(unpickling, "load_artifact", lambda path, *_: path.read_bytes())
        remember(smoke, "check", lambda estimator, recorded, _: (id(estimator), signing.canonical(recorded)))
        patch.setattr(snapshots, "READERS", 1)
        patch.setattr(promotion_log, "datetime", Clock)
        patch.setattr("os.fsync", lambda _: None)
        yield


@contextlib.contextmanager
def proven(is_proven: bool) -> Iterator[None]:
    """Take the store as proven before: only what befalls a probe itself needs the hundreds of calls of a proof."""
    with pytest.MonkeyPatch.context() as patch:
        if is_proven:
            patch.setattr(registry, "prove", lambda _: None)
        yield


def fitted(name: str, rows: pd.DataFrame, labels: Any = None) -> Any:
    """Return a real pipeline that loads and predicts in a millisecond."""
    strength = {"logistic_regression": 1.0}.get(name, 2.0)
    pipeline = Pipeline([("fill", SimpleImputer()), ("model", LogisticRegression(C=strength))])
    return pipeline.fit(rows[["weight"]], rows["late"] if labels is None else labels)


def opened(store: Store, inputs_key: str) -> Desk:
    """Return a desk as every task opens its own."""
    return Desk(SPEC, Registry(store, KEYRING, MODEL), records.read_inputs(store, inputs_key))


def train(desk: Desk, name: str) -> Any:
    return challengers.train(desk.registry, SPEC, desk.inputs, desk.section("validation"), name)


def select(desk: Desk, trained: list[str]) -> Any:
    found = challengers.select(desk.registry, SPEC, desk.inputs, desk.section("validation"), trained)
    desk.write("challenger", found)
    return found["version"]


def compare(desk: Desk) -> Any:
    found = comparing.compare(desk)
    desk.write("verdict", found)
    return found["answer"]


def promote(desk: Desk) -> Any:
    found = outcome.promote(desk)
    desk.write("promotion", found)
    return found["entry"]


@dataclass
class Run:
    """One run of one variant: where its inputs lie, and what its steps return when nothing fails."""

    variant: str
    inputs_key: str
    trained: list[str] = field(default_factory=list)
    states: list[Objects] = field(default_factory=list)
    """Everything stored before each step, and after the last one."""
    returned: list[Any] = field(default_factory=list)

    def step(self, number: int, store: Store) -> Any:
        """Run one step as its task does."""
        desk = opened(store, self.inputs_key)
        if number < 2:
            return train(desk, SPEC.candidates[number].name)
        return (lambda desk: select(desk, self.trained), compare, promote)[number - 2](desk)

    @property
    def first_step(self) -> int:
        """Where faults begin to matter: before that this variant is the same as another."""
        return 4 if self.variant == VARIANTS[3] else 0

    @property
    def nonce(self) -> str:
        version = self.returned[2]
        return signing.sha256(f"{self.inputs_key} {version}".encode())[:32]


def rehearse(variant: str, store: Store) -> Run:
    """Run a variant once without faults, and remember what was stored before every step."""
    base = 0 if variant == VARIANTS[0] else 1
    if base:
        install(store, CHAMPION, 0)
    inputs = toy.pin(store, KEYRING, SPEC, FRAMES, base=base)
    run = Run(variant, inputs.key)
    opened(store, inputs.key).write("validation", toy.PASSED)
    for _ in range(2 if variant == VARIANTS[2] else 1):
        run.trained, run.states, run.returned = [], [], []
        for number in range(len(STEPS)):
            if number == 4 and variant == VARIANTS[3]:
                install(store, RIVAL, base)
            run.states.append(desks.objects(store))
            run.returned.append(told(lambda number=number: run.step(number, store)))
            run.trained = run.returned[:2]
    run.states.append(desks.objects(store))
    return run


def told(ask: Callable[[], Any]) -> Any:
    """Return what a step returns, or PromotionConflict where that is its answer."""
    try:
        return ask()
    except PromotionConflict:
        return PromotionConflict


def install(store: Store, version: str, base: int) -> None:
    """Register a version that knows nothing, and make it the champion."""
    desk = Registry(store, KEYRING, MODEL)
    rows = pd.concat(FRAMES[:2], ignore_index=True)
    estimator = fitted("hist_gradient_boosting", rows, np.arange(len(rows)) % 2)
    recorded = smoke.record(estimator, smoke.rows(rows, SPEC.numeric, ()), SPEC.numeric)
    files = {ARTIFACT: training.dump(estimator), SMOKE: signing.canonical(recorded), CARD: b"# card"}
    desk.register(version, files, desks.ABOUT)
    desk.promote(version, base, toy.day(0).start + base * toy.DAY, desks.promotion(f"nonce of {version}"))


def problems_midway(store: Store, entries: tuple[int, int]) -> Iterator[str]:
    """Yield what a reader would stumble over right after a fault: I1, I2 and I4."""
    desk = Registry(store, KEYRING, MODEL)
    log = desk.log()
    if not entries[0] <= len(log) <= entries[1]:
        yield f"the log has {len(log)} entries, expected {entries}"
    head = desk.head()
    if head != (log[-1] if log else None):
        yield "the head is not the last entry"
    if head:
        desk.load_live(head)
    for version in desk.versions():
        desk.load(version)


def problems(store: Store, run: Run) -> Iterator[str]:
    """Yield what is otherwise than if nothing had failed, and what verification finds but may not find."""
    desk, found, expected = Registry(store, KEYRING, MODEL), desks.objects(store), run.states[-1]
    yield from problems_midway(store, (len(desk.log()), len(desk.log())))
    standing = {key: data for key, data in found.items() if not is_leftover(key)}
    for key in sorted(standing.keys() ^ expected.keys()):
        yield f"{key} is {'too many' if key in standing else 'missing'}"
    for key in sorted(standing.keys() & expected.keys()):
        if timeless(key, standing[key]) != timeless(key, expected[key]):
            yield f"{key} is otherwise than without the fault"
    hinted = json.loads(standing.get(keys.champion_hint(MODEL), b'{"number": 0}'))["number"]
    if hinted > len(desk.log()):
        yield f"the hint names entry {hinted} of {len(desk.log())}"
    nonces = [entry.content["nonce"] for entry in desk.log()]
    if nonces.count(run.nonce) != (run.returned[-1] is not PromotionConflict):
        yield f"what was reported of the promotion, {run.returned[-1]}, is not what the log says"
    for finding in verifying.verify(desk).findings:
        if finding.is_damage:
            yield f"verify finds {finding.key}: {finding.problem}"


def is_believed(answer: Any, hit: tuple[str, str], fault: str) -> bool:
    """Return whether a store was refused for what it gave back or listed of a probe: there one wrong answer is enough.

    A put that comes late over a newer one is such an answer as well.

    It happens before a model's first version; the next run asks anew.
    """
    return (
        isinstance(answer, StoreUnsafe)
        and hit[1].startswith("probe")
        and fault in {"flipped", "stale list", "late apply"}
    )


def is_leftover(key: str) -> bool:
    """Return whether it is what a killed process leaves, runs out by itself and stands in nobody's way."""
    return key.startswith((keys.holds(MODEL), keys.sweeps(MODEL), keys.probe("")))


def timeless(key: str, data: bytes) -> Any:
    """Return content without the clock, and without the hint's number: it is a cache."""
    if key == keys.champion_hint(MODEL):
        return None
    if not key.startswith(keys.promotions(MODEL)):
        return data
    return {name: value for name, value in json.loads(data).items() if name not in {"recorded_at", "signature"}}
