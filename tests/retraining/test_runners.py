"""The runner-up: whoever lost the last comparison is scored on, by the same rule whichever side it was on."""

import pytest

from include.retraining import comparing, deciding, evaluating, keys, movement, records, runners
from include.retraining.desk import Desk
from include.retraining.policies import DecisionPolicy, PromotionPolicy, Windows
from include.retraining.registry import Registry
from tests.retraining import toy
from tests.retraining.desks import flip
from tests.retraining.test_recalibrating import TRAINED, VERSION, fitted_files, moved, serve

OTHER = "20240104-00000000000b"
COUNT = 24
SPEC = toy.spec(
    windows=Windows(training_intervals=30, minimum_training_intervals=2, holdout_intervals=2, minimum_rows=10),
    promotion=PromotionPolicy(runner_up_every=3, runner_up_intervals=4),
)
DAYS = [toy.task_rows(number) for number in range(COUNT)]
TURNED = [*DAYS[:TRAINED], *map(moved, DAYS[TRAINED:])]


def report(as_of, base: int = 1, **sections) -> dict:
    return {**sections, "report": {"as_of": keys.stamp(as_of), "base": base, "dry_run": False, "answer": "retrain"}}


def met(old: str | None, new: str | None, promoted: int | None = None, base: int = 1, day: int = 5) -> dict:
    """Return the record of a comparison."""
    sides = {name: one and {"version": one} for name, one in (("champion", old), ("challenger", new))}
    won = {"promotion": {"promoted": True, "entry": promoted}} if promoted else {}
    return report(toy.day(day).end, base, verdict={"answer": "win" if promoted else "lose", **sides}, **won)


class TestWhoItIs:
    @pytest.fixture
    def head(self, store, keyring):
        desk = Registry(store, keyring, "parcels")
        serve(desk, SPEC, DAYS)
        return desk.entry(1)

    CASES = {
        "nobody yet": ([], None),
        "no comparison": ([report(toy.day(5).end)], None),
        "a challenger that lost": ([met(VERSION, OTHER)], OTHER),
        "the champion before": ([met(OTHER, VERSION, promoted=1, base=0)], OTHER),
        "the first version met nobody": ([met(None, VERSION, promoted=1, base=0)], None),
        "somebody was rolled back to since": ([met(OTHER, VERSION, promoted=3, base=2)], None),
        "it lost to another champion": ([met("v0", OTHER, base=0)], None),
        "no candidate since": ([met(VERSION, OTHER), met(VERSION, None, day=7)], OTHER),
        "the newest counts": ([met(VERSION, "v0"), met(VERSION, OTHER, day=7)], OTHER),
    }

    @pytest.mark.parametrize(("earlier", "expected"), CASES.values(), ids=CASES)
    def test_it_is_whoever_lost_to_the_one_who_is_live(self, head, earlier, expected):
        found = runners.contest(earlier, head)
        assert (found.runner_up if found else None) == expected


@pytest.fixture
def registry(store, keyring) -> Registry:
    """Return a registry with a champion that knows the first days, and one beside it that knows turned ones."""
    found = Registry(store, keyring, "parcels")
    serve(found, SPEC, DAYS)
    about = found.manifest(VERSION)
    files = {name: found.file(VERSION, name) for name in about["files"]}
    found.register(OTHER, files, {name: about[name] for name in ("libraries", "training_window")} | {"floor": 0.4})
    return found


def look(registry: Registry, number: int, earlier: list[dict], spec=SPEC, days=DAYS, corrected: bool = False) -> dict:
    inputs = toy.pin(registry.store, registry.keyring, spec, days[: number + 1], base=1, run=f"run-{number}")
    return runners.look(registry, spec, inputs, toy.PASSED, registry.entry(1), earlier, corrected)


class TestALook:
    LOST = [met(VERSION, OTHER, day=10)]

    @pytest.mark.parametrize(("number", "due"), [(10, False), (11, False), (13, True), (14, False), (16, True)])
    def test_it_is_looked_at_each_time_so_many_intervals_have_passed(self, registry, number, due):
        assert ("losses" in look(registry, number, self.LOST)) is due

    def test_both_are_judged_on_the_same_intervals_that_neither_was_fitted_on(self, registry):
        found = look(registry, 13, self.LOST)
        assert found["spans"] == [keys.span(toy.day(number)) for number in range(TRAINED, 13)]
        assert found["losses"] == pytest.approx(found["champion_losses"]), "they are the same estimator"
        assert found["sentence"] == f"Runner-up {OTHER} was scored on 9 intervals."

    def test_corrected_as_it_would_have_been_served(self, registry):
        plain, corrected = (look(registry, 22, self.LOST, days=TURNED, corrected=one) for one in (False, True))
        assert corrected["losses"][:4] == pytest.approx(plain["losses"][:4]), "three known intervals are needed"
        assert sum(corrected["losses"][4:]) < sum(plain["losses"][4:])

    @pytest.mark.parametrize("changes", [{"runner_up_every": 0}, {"runner_up_every": 3, "runner_up_intervals": 12}])
    def test_never_or_not_yet(self, registry, changes):
        assert look(registry, 13, self.LOST, toy.spec(windows=SPEC.windows, promotion=PromotionPolicy(**changes))) == {}

    def test_a_damaged_one_stops_no_run(self, registry):
        key = keys.version("parcels", OTHER, "model.joblib")
        registry.store.put(key, flip(registry.store.get(key)))
        found = look(registry, 13, self.LOST)
        assert "losses" not in found
        assert found["sentence"].startswith(f"Runner-up {OTHER} cannot be looked at: ")


def test_a_better_runner_up_is_compared_once_more_and_goes_live(store, keyring):
    """The champion knows the days before they turned; the runner-up was fitted on turned ones."""
    registry = Registry(store, keyring, "parcels")
    serve(registry, SPEC, DAYS)
    about = registry.manifest(VERSION)
    registry.register(
        OTHER,
        fitted_files(SPEC, TURNED[TRAINED : 2 * TRAINED]),
        {**{name: about[name] for name in ("libraries", "training_window")}, "floor": 0.3},
    )
    lost = toy.pin(store, keyring, SPEC, TURNED[:11], base=1, run="lost")
    decided = {"decision": {"answer": "retrain", "numbers": {"wait_intervals": 42}}}
    for name, section in {**decided, **met(VERSION, OTHER, day=10)}.items():
        records.write_section(store, lost.prefix, name, section)
    desk = Desk(SPEC, registry, toy.pin(store, keyring, SPEC, TURNED[:14], base=1, run="later"))
    desk.write("validation", toy.PASSED)
    desk.write("evaluation", evaluating.evaluate(registry, SPEC, desk.inputs, toy.PASSED))
    decided = deciding.decide(desk)
    assert decided["answer"] == "runner-up", decided["reasons"]
    assert (decided["numbers"]["wait_intervals"], decided["numbers"]["runner_up"]) == (84, OTHER)
    desk.write("decision", decided)
    verdict = comparing.compare(desk)
    assert (verdict["answer"], verdict["challenger"]["version"]) == ("win", OTHER)
    assert verdict["numbers"]["confidence"] == SPEC.promotion.runner_up_confidence


def test_whether_the_world_moves_is_read_from_what_earlier_runs_judged_and_this_one(store, keyring):
    registry = Registry(store, keyring, "parcels")
    serve(registry, SPEC, DAYS)
    judged = [
        {"span": keys.span(toy.day(number)), "version": VERSION, "log_loss": 0.5, "raw_errors": {"mean": bias}}
        for number, bias in enumerate([0.1] * 15 + [-0.1] * 15, 40)
    ]
    before = toy.pin(store, keyring, SPEC, DAYS[:13], base=1, run="before")
    for name, section in report(toy.day(12).end, evaluation={"intervals": judged}).items():
        records.write_section(store, before.prefix, name, section)
    desk = Desk(SPEC, registry, toy.pin(store, keyring, SPEC, DAYS[:14], base=1, run="later"))
    desk.write("validation", toy.PASSED)
    found = evaluating.evaluate(registry, SPEC, desk.inputs, toy.PASSED)
    desk.write("evaluation", found)
    lines = [line["raw_errors"] for line in (*found["intervals"], *judged)]
    assert found["intervals"], "this run judged some too"
    assert movement.Order(**found["order"]) == movement.order(lines, SPEC.decision)
    numbers = deciding.decide(desk)["numbers"]
    assert (numbers["is_moving"], numbers["movement_intervals"]) == (True, len(lines))


CHALLENGED = [("lose", False, 28), ("lose", False, 56), ("win", False, 56), ("lose", True, 14), ("lose", False, 28)]
"""The verdict of each challenge, whether the world moved, and the wait that follows."""


def test_the_wait_follows_from_the_challenges_so_far():
    earlier: list[dict] = []
    for answer, moving, expected in CHALLENGED:
        numbers = {"wait_intervals": deciding.wait(earlier, DecisionPolicy()), "is_moving": moving}
        verdict = {"answer": answer, "champion": {"version": "v"}, "challenger": {"version": "w"}}
        earlier.append({"decision": {"answer": "retrain", "numbers": numbers}, "verdict": verdict})
        assert deciding.wait(earlier, DecisionPolicy()) == expected


def test_whether_it_moved_is_what_the_newest_decision_found_that_had_enough_to_go_by():
    told = [{"decision": {"numbers": {"is_moving": one, "movement_intervals": many}}} for one, many in
            ((False, 40), (True, 28), (False, 27))]  # fmt: skip
    assert deciding.was_moving([*told, {"decision": {}}, {}])
    assert not deciding.was_moving(told[:1])
    assert not deciding.was_moving([])


def test_a_run_that_trained_and_never_compared_leaves_the_wait_as_it_was():
    lost = {
        "decision": {"numbers": {"wait_intervals": 42}},
        "verdict": {"answer": "lose", "champion": {"version": "v"}},
    }
    cut_off = {"decision": {"numbers": {"wait_intervals": 84}}, "challenger": {"version": "w"}}
    assert deciding.wait([lost, cut_off], DecisionPolicy()) == deciding.wait([lost], DecisionPolicy()) == 84
    assert deciding.wait([cut_off], DecisionPolicy()) is None


def test_a_first_version_leaves_no_wait():
    assert deciding.wait([{"decision": {}, "verdict": {"answer": "win", "champion": None}}], DecisionPolicy()) is None
