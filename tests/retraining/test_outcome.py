"""What a run's record and message say where tasks failed, nothing was promoted, or a person asked for a dry run."""

import re
from importlib import metadata

import pytest

from include.retraining import challengers, comparing, deciding, evaluating, keys, libraries, outcome, scoring
from include.retraining.desk import Desk
from include.retraining.errors import IntegrityError
from include.retraining.registry import Registry
from tests.retraining import desks, toy

SPEC = toy.spec()
FRAMES = [toy.rows(number) for number in range(11)]

DECIDED = {"decision": {"answer": "retrain", "sentences": ["One is due every 14.", "Candidates are trained."]}}
WON = {**DECIDED, "challenger": {"version": "v2"}, "verdict": {"answer": "win", "reasons": ["Clearly better."]}}
PROMOTED = {**WON, "promotion": {"promoted": True, "entry": 2}}
BLOCKED = {"validation": {"outcome": "fail", "sentence": "Refused: 1 of 36 expectations did not hold."}}


@pytest.mark.parametrize(
    ("sections", "failed", "answer"),
    [
        ({}, ["pull_snapshot"], "failed"),
        ({}, [], "failed"),
        (BLOCKED, ["validate_snapshot"], "blocked"),
        (DECIDED, [], "retrain"),
        (DECIDED, ["train_candidate_0", "train_candidate_1"], "failed"),
        (PROMOTED, ["train_candidate_1"], "retrain"),
        (WON, ["promote"], "failed"),
    ],
)
def test_the_answer(sections, failed, answer):
    assert outcome._answer(sections, failed) == answer


@pytest.mark.parametrize(
    ("sections", "failed", "is_dry", "sentences"),
    [
        (PROMOTED, [], False, ["One is due every 14.", "Promoted: Clearly better."]),
        (WON, [], False, ["One is due every 14.", "Not promoted: Clearly better."]),
        (WON, [], True, ["One is due every 14.", "Dry run, nothing promoted: Clearly better."]),
        (
            PROMOTED,
            ["train_candidate_1"],
            False,
            ["One is due every 14. Trained without train_candidate_1, which failed.", "Promoted: Clearly better."],
        ),
        (WON, ["promote"], False, ["Failed in promote.", "See that task's log; the champion goes on serving."]),
        (
            BLOCKED,
            ["validate_snapshot"],
            False,
            [
                "Refused: 1 of 36 expectations did not hold.",
                "Nothing was trained or promoted; the champion goes on serving.",
            ],
        ),
    ],
)
def test_the_two_sentences(sections, failed, is_dry, sentences):
    assert outcome._sentences(sections, failed, is_dry) == sentences


DAYS = [toy.task_rows(number) for number in range(9)]
TURNED = [*DAYS[:1], *(frame.assign(weight=20 - frame["weight"]) for frame in DAYS[1:])]
"""What was light is heavy: whoever knew the days before knows the opposite."""
WORDS = {
    "binary": (r"beats the base rate by 0\.\d{4} log loss\.", r"log loss lower by \d+\.\d{4}, at least"),
    "multiclass": (r"beats the class shares by 0\.\d{4} log loss\.", r"log loss lower by \d+\.\d{4}, at least"),
    "regression": (
        r"beats the training mean by \d+(\.\d)? squared error\.",
        r"squared error lower by [\d,.]+, at least",
    ),
}


def chosen(store, keyring, task: str, days, base: int = 0) -> Desk:
    """Return the desk of a run of this task that has trained, chosen and registered a challenger."""
    spec, registry = toy.task_spec(task), Registry(store, keyring, "parcels")
    desk = Desk(spec, registry, toy.pin(store, keyring, spec, days, base=base, run=f"manual__{base}"))
    desk.write("validation", toy.PASSED)
    trained = [challengers.train(registry, spec, desk.inputs, toy.PASSED, one.name) for one in spec.candidates]
    desk.write("challenger", challengers.select(registry, spec, desk.inputs, toy.PASSED, trained))
    return desk


@pytest.mark.parametrize("task", WORDS)
def test_a_first_version_is_judged_and_promoted_and_a_better_one_follows(store, keyring, task):
    for base, days in enumerate((DAYS, TURNED)):
        desk = chosen(store, keyring, task, days, base)
        verdict = comparing.compare(desk)
        assert verdict["answer"] == "win", verdict["reasons"]
        assert re.search(WORDS[task][base], verdict["reasons"][0])
        desk.write("verdict", verdict)
        assert outcome.promote(desk)["entry"] == base + 1


def test_a_run_that_an_earlier_release_began_is_compared_by_its_base_rate(store, keyring):
    desk = chosen(store, keyring, "binary", DAYS)
    whole = comparing.compare(desk)
    desk.write("challenger", {name: held for name, held in desk.section("challenger").items() if name != "floor"})
    assert comparing.compare(desk) == whole


@pytest.fixture
def registry(store, keyring) -> Registry:
    """Return an empty registry in a folder."""
    return Registry(store, keyring, "parcels")


def pinned(registry: Registry, frames: list, **changes) -> Desk:
    """Return the desk of a run whose rows were validated."""
    found = Desk(SPEC, registry, toy.pin(registry.store, registry.keyring, SPEC, frames, **changes))
    found.write("validation", toy.PASSED)
    return found


def trained(desk: Desk) -> Desk:
    """Train and select as a run does."""
    names = [candidate.name for candidate in SPEC.candidates[:1]]
    versions = [challengers.train(desk.registry, SPEC, desk.inputs, toy.PASSED, name) for name in names]
    desk.write("challenger", challengers.select(desk.registry, SPEC, desk.inputs, toy.PASSED, versions))
    return desk


def champion(registry: Registry) -> str:
    """Let a first run promote what it trained."""
    desk = trained(pinned(registry, FRAMES[:8], run="first"))
    desk.write("verdict", comparing.compare(desk))
    return str(outcome.promote(desk)["version"])


@pytest.mark.parametrize(("days", "answer"), [(-1, "retrain"), (0, "retrain"), (1, "insufficient data")])
def test_a_run_whose_as_of_is_before_the_champion_took_effect_does_not_turn_the_clock_back(registry, days, answer):
    """The champion was rolled back to, so it is trained on old rows and yet took effect late."""
    version = champion(registry)
    desks.register(registry, "20240201-00000000000b")
    registry.promote("20240201-00000000000b", 1, toy.day(9).end, desks.promotion("second"))
    registry.roll_back(version, 2, toy.day(10).end + days * toy.DAY, desks.promotion("third"))
    late = pinned(registry, FRAMES, base=3, run="late", force_retrain=True)
    assert deciding.decide(late)["answer"] == answer


@pytest.fixture
def upgrade(monkeypatch):
    """Give what installs a later minor release of scikit-learn, as far as its metadata tells."""
    known = metadata.version

    def upgraded() -> None:
        monkeypatch.setattr(metadata, "version", lambda name: "99.9.9" if name == "scikit-learn" else known(name))
        libraries._installed.cache_clear()

    yield upgraded
    monkeypatch.undo()
    libraries._installed.cache_clear()


class TestAfterAnUpgradeThatTheChampionCannotBeLoadedWith:
    """Nobody has to step in: a challenger is trained with what is installed, and has to win as always."""

    @pytest.fixture
    def desk(self, registry, upgrade) -> Desk:
        champion(registry)
        upgrade()
        return pinned(registry, FRAMES, base=1, run="after the upgrade")

    def test_the_evaluation_says_so_and_has_no_scores(self, desk):
        head = desk.registry.head()
        found = evaluating.evaluate(desk.registry, SPEC, desk.inputs, toy.PASSED)
        assert (found["champion"], found["intervals"], list(found["unloadable"])) == (head.version, [], [head.version])
        assert re.search(
            r"cannot be scored with .* was written by scikit-learn .*, here is 99\.9\.9", found["sentence"]
        )
        assert found["drift"]["sentence"], "drift needs the baseline alone"

    def test_the_need_is_reason_enough_to_retrain(self, desk):
        found = deciding.decide(desk)
        assert found["answer"] == "retrain"
        assert re.search(r"cannot be loaded any more: .* scikit-learn .*, here is 99\.9\.9", found["reasons"][0])

    def test_the_challenger_is_held_against_the_same_training_once_more(self, desk, registry):
        found = comparing.compare(trained(desk))
        assert "It was held against the same training once more: champion" in found["reasons"][-1]
        assert found["champion"]["losses"] == pytest.approx(self.as_served(desk, registry))
        assert {"gain", "gain_over_floor"} <= set(found["numbers"])

    def as_served(self, desk: Desk, registry: Registry) -> dict[str, float]:
        """Return what the champion's stored artifact loses, which this process can read whatever is said of it."""
        libraries_then = registry.manifest(registry.head().version)["libraries"]
        rows = scoring.labelled_rows(registry.store, SPEC, desk.inputs, desk.inputs.intervals("holdout"))
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(metadata, "version", lambda name: libraries_then[name])
            libraries._installed.cache_clear()
            stored = registry.load_live(registry.head())
        libraries._installed.cache_clear()
        return dict(scoring.score_contender(stored, rows, SPEC).losses)

    def test_without_its_rows_nothing_is_compared(self, desk, registry):
        trained(desk)
        for found in list(registry.store.list(keys.labels("parcels", toy.day(0)))):
            registry.store.delete(found.key)
        found = comparing.compare(desk)
        assert (found["answer"], found["champion"], found["challenger"]) == ("insufficient data", None, None)
        assert re.search(
            r"Nothing was compared: .* are not stored any more .*Restore .*Or install the former", found["reasons"][0]
        )

    def test_damaged_rows_are_an_error(self, desk, registry):
        trained(desk)
        key = next(found.key for found in registry.store.list("parcels/labels/") if found.key.endswith(".parquet"))
        registry.store.put(key, desks.flip(registry.store.get(key)))
        with pytest.raises(IntegrityError, match="the sha256 is"):
            comparing.compare(desk)
