"""What may be deleted: nothing that the champion, a kept version or an open run needs, and nothing that is young."""

from collections.abc import Iterable
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.retraining import inventory, keys, retention
from include.retraining.policies import Keep, Retention
from include.retraining.retention import Facts, Served
from include.retraining.store import Stored
from tests.retraining import toy

MODEL = "parcels"
NOW = toy.START + 1000 * toy.DAY
POLICY = Retention(
    snapshots=Keep(100, 2),
    quarantines=Keep(100),
    validations=Keep(100, 2),
    predictions=Keep(100, 2),
    records=Keep(100, 2),
    versions=Keep(100, 2),
    candidates=Keep(7),
    live_versions=2,
)
OLD = 101.0


def at(key: str, days_old: float = OLD) -> Stored:
    return Stored(key, 10, NOW - timedelta(days=days_old))


def snapshot(day: int, days_old: float = OLD, digest: str = "a", as_of: int | None = None) -> list[Stored]:
    key = keys.snapshot_rows(MODEL, toy.day(day), toy.day(day if as_of is None else as_of).end, digest * 12)
    return [at(key, days_old), at(keys.rows_manifest(key), days_old)]


def version(name: str, days_old: float = OLD) -> list[Stored]:
    return [at(keys.version(MODEL, name, part), days_old) for part in ("manifest.json", "model.joblib")]


def run(day: int, name: str, days_old: float = OLD) -> list[Stored]:
    folder = keys.run(MODEL, toy.day(day), name)
    hint = at(keys.run_hint(MODEL, name), days_old)
    return [at(f"{folder}inputs.json", days_old), at(keys.record(folder, 1), days_old), hint]


def validation(day: int, days_old: float = OLD) -> list[Stored]:
    where = (MODEL, toy.day(day), "a" * 12, "b" * 12)
    return [at(keys.validation(*where), days_old), at(keys.data_docs_page(*where), days_old)]


def predicted(day: int, days_old: float = OLD) -> list[Stored]:
    key = keys.prediction_rows(MODEL, toy.day(day), "v", None)
    return [at(keys.rows_manifest(key), days_old), at(key, days_old)]


def correction(day: int, days_old: float = OLD) -> Stored:
    return at(keys.calibration(MODEL, toy.day(day), "v", "a" * 12), days_old)


def planned(listed: Iterable[Stored], facts: Facts = Facts(), policy: Retention = POLICY) -> retention.Plan:  # noqa: B008
    return retention.plan(MODEL, inventory.take(MODEL, listed), facts, policy, NOW)


def freed(listed: Iterable[Stored], facts: Facts = Facts(), policy: Retention = POLICY) -> set[str]:  # noqa: B008
    return {key for fate in planned(listed, facts, policy).freed for key in fate.group.keys}


def named(objects: Iterable[Stored]) -> set[str]:
    return {one.key for one in objects}


def served(*versions: str, since: int = 0) -> tuple[Served, ...]:
    return tuple(Served(one, toy.START + (since + n) * toy.DAY, None) for n, one in enumerate(versions))


class TestByAge:
    def test_what_is_older_than_the_policy_and_not_among_the_newest_goes(self):
        listed = [*snapshot(0), *snapshot(1), *snapshot(2)]
        assert freed(listed) == named(snapshot(0))

    @pytest.mark.parametrize(("days_old", "goes"), [(99.9, False), (100, True), (-1, False)])
    def test_the_age_counts_from_when_it_was_stored(self, days_old, goes):
        listed = [*snapshot(0, days_old), *snapshot(1), *snapshot(2)]
        assert bool(freed(listed)) == goes

    def test_intervals_count_and_not_objects(self):
        """Of a counted interval only the latest stays: what it superseded is as old as any other."""
        latest, superseded = snapshot(2, digest="b", as_of=3), snapshot(2)
        assert freed([*snapshot(0), *snapshot(1), *superseded, *latest]) == named(snapshot(0)) | named(superseded)

    def test_labels_count_with_their_snapshots(self):
        label = keys.label_rows(MODEL, toy.day(0), toy.day(1).end, "c" * 12)
        listed = [at(label), at(keys.rows_manifest(label)), *snapshot(1), *snapshot(2)]
        assert freed(listed) == named(listed[:2])

    def test_each_kind_has_its_own_policy(self):
        listed = [*validation(0), *validation(1), *validation(2), *run(0, "a"), *run(1, "b"), *run(2, "c")]
        listed += [at(f"{keys.quarantines(MODEL)}{keys.span(toy.day(3))}/x.parquet")]
        listed += [at(keys.candidate(MODEL, "v", "manifest.json"), 8)]
        gone = [*validation(0), *run(0, "a"), *listed[-2:]]
        assert freed(listed) == named(gone)

    def test_predictions_and_their_corrections_are_kept_alike(self):
        listed = [one for day in range(3) for one in (*predicted(day), correction(day))]
        assert freed(listed) == named([*predicted(0), correction(0)])
        assert freed([predicted(0)[1]]) == named(predicted(0)[1:]), "a crash left rows without a manifest"

    def test_predictions_go_before_the_correction_that_they_name(self):
        listed = [one for day in range(3) for one in (*predicted(day), correction(day))]
        assert [fate.group.kind for fate in planned(listed).freed] == ["predictions", "calibrations"]

    def test_a_hint_goes_with_its_run(self):
        listed = [*run(0, "a"), *run(1, "b"), *run(2, "c"), at(keys.run_hint(MODEL, "gone"))]
        assert {key for key in freed(listed) if "hints" in key} == {
            keys.run_hint(MODEL, "a"),
            keys.run_hint(MODEL, "gone"),
        }


class TestNever:
    def test_the_promotion_log_and_the_records_of_collections(self):
        listed = [at(keys.promotion(MODEL, 1), 9999), at(keys.collection(MODEL, NOW, "a" * 12), 9999)]
        assert freed([*listed, at(keys.champion_hint(MODEL), 9999)]) == set()

    def test_what_this_release_does_not_know(self):
        assert freed([at(f"{MODEL}/inventions/x", 9999)]) == set()

    @pytest.mark.parametrize(("days_old", "goes"), [(1.9, False), (2, True)])
    def test_what_is_younger_than_two_days(self, days_old, goes):
        listed = [
            at(keys.version(MODEL, "v", "model.joblib"), days_old),
            at(keys.candidate(MODEL, "v", "model.joblib"), days_old),
            snapshot(0, days_old)[0],
            at(keys.hold(MODEL, "t"), days_old),
            at(keys.sweep(MODEL, "t"), days_old),
            at(keys.run_hint(MODEL, "gone"), days_old),
            validation(0, days_old)[1],
        ]
        assert freed(listed) == (named(listed) if goes else set())

    def test_leftovers_of_killed_writers_go_when_they_are_two_days_old(self):
        for days_old, count in ((1.9, 0), (2, 1)):
            groups = inventory.take(MODEL, [], [at(f"{MODEL}/runs/.~0123", days_old)])
            assert len(retention.plan(MODEL, groups, Facts(), POLICY, NOW).freed) == count


class TestVersions:
    LISTED = [one for name in ("v1", "v2", "v3", "v4", "v5", "v6") for one in version(name)]

    def test_the_last_distinct_live_ones_stay_and_the_newest(self):
        gone = freed(self.LISTED, Facts(log=served("v1", "v3", "v2", "v3")))
        assert gone == named([*version("v1"), *version("v4")])

    def test_a_rollback_makes_its_version_the_champion(self):
        assert not freed(self.LISTED, Facts(log=served("v1", "v2", "v3", "v1"))) & named(version("v1"))

    def test_whoever_served_an_interval_that_runs_look_back_at_stays(self):
        """Its labels may come late, and then it is scored on what it served."""
        rows = [*snapshot(8), *snapshot(9)]
        log = served("v1", "v2", "v3", "v4", since=5)  # live since days 5, 6, 7 and 8
        gone = freed([*self.LISTED, *rows], Facts(log=log))
        assert gone == named([*version("v1"), *version("v2")])
        assert freed([*self.LISTED, *snapshot(6), *snapshot(7)], Facts(log=log)) == named(version("v1"))

    def test_no_version_and_no_candidate_goes_while_a_run_is_open(self):
        folder = keys.run(MODEL, toy.day(3), "open")
        candidate = [at(keys.candidate(MODEL, "v", name)) for name in ("manifest.json", "model.joblib")]
        torn = [at(keys.version(MODEL, "v9", "model.joblib"))]
        facts = Facts(pinned={folder: frozenset()}, open_runs=frozenset({folder}))
        plan = planned([*self.LISTED, *candidate, *torn], facts)
        assert plan.freed == ()
        assert plan.notes == ("No version and no candidate is freed while a run is open: open.",)

    def test_a_version_goes_whole_manifest_first(self):
        fate = next(one for one in planned(self.LISTED).freed if one.group.name == "v1")
        assert fate.group.keys == tuple(keys.version(MODEL, "v1", name) for name in ("manifest.json", "model.joblib"))


class TestRows:
    def test_what_a_kept_version_was_trained_on_stays_whatever_its_as_of(self):
        first, second = snapshot(0, digest="d"), snapshot(0, digest="d", as_of=5)
        facts = Facts(log=served("v1"), digests={"v1": frozenset({(toy.day(0), "d" * 12)})})
        listed = [*first, *second, *snapshot(0, digest="e"), *snapshot(8), *snapshot(9), *version("v1")]
        assert freed(listed, facts) == named(snapshot(0, digest="e"))

    def test_what_a_version_that_goes_was_trained_on_goes_too(self):
        facts = Facts(digests={"v0": frozenset({(toy.day(0), "a" * 12)})})
        listed = [*snapshot(0), *snapshot(8), *snapshot(9), *version("v0"), *version("v1"), *version("v2")]
        assert freed(listed, facts) == named([*snapshot(0), *version("v0")])

    def test_what_a_run_of_late_is_pinned_to_stays_even_after_its_report(self):
        """It failed, say, and somebody will clear it."""
        rows = snapshot(0)
        facts = Facts(pinned={keys.run(MODEL, toy.day(3), "late"): frozenset({rows[0].key})})
        assert freed([*rows, *snapshot(1), *snapshot(8), *snapshot(9)], facts) == named(snapshot(1))

    def test_what_names_goes_before_what_is_named(self):
        listed = [*snapshot(0), *snapshot(8), *snapshot(9), *version("v0"), *version("v1"), *version("v2")]
        listed += [*run(0, "a"), *run(8, "b"), *run(9, "c")]
        assert [fate.group.kind for fate in planned(listed).freed] == ["versions", "runs", "run hints", "snapshots"]


class TestRuns:
    def test_the_run_that_promoted_a_kept_version_stays(self):
        log = (Served("v1", toy.START, keys.run(MODEL, toy.day(0), "a")),)
        listed = [*run(0, "a"), *run(1, "b"), *run(8, "c"), *run(9, "d"), *version("v1")]
        assert freed(listed, Facts(log=log)) == named(run(1, "b"))

    def test_a_run_that_may_go_on_or_be_cleared_stays(self):
        facts = Facts(pinned={keys.run(MODEL, toy.day(0), "a"): frozenset()})
        assert freed([*run(0, "a"), *run(1, "b"), *run(8, "c"), *run(9, "d")], facts) == named(run(1, "b"))

    @pytest.mark.parametrize(
        ("interval_days", "days_old", "open_"), [(1, 6.9, True), (1, 7, False), (10, 19.9, True), (10, 20, False)]
    )
    def test_a_run_is_given_up_after_seven_days_or_two_intervals(self, interval_days, days_old, open_):
        interval = toy.Interval(toy.START, toy.START + interval_days * toy.DAY)
        assert retention.may_go_on(interval, NOW - timedelta(days=days_old), NOW) == open_


def test_the_table_tells_objects_bytes_and_age_by_kind_and_reason():
    rows = planned([*snapshot(0), *snapshot(1), *snapshot(2)]).rows()
    assert rows == [
        {
            "kind": "snapshots",
            "answer": "keep",
            "reason": "the latest of one of the newest 2 intervals",
            "objects": 4,
            "bytes": 40,
            "oldest": "2026-06-18",
        },
        {
            "kind": "snapshots",
            "answer": "free",
            "reason": "older than 100 days",
            "objects": 2,
            "bytes": 20,
            "oldest": "2026-06-18",
        },
    ]


days_old = st.sampled_from([0.5, 1.9, 2.1, 8, 50, 99, 101, 400])
digests = st.sampled_from("abc")
numbers = st.integers(0, 9)
names = st.sampled_from([f"v{number}" for number in range(8)])


@st.composite
def models(draw):
    """Draw a store of a model with its facts: whole and torn groups of every age, a log, open runs."""
    rows = [snapshot(*one) for one in draw(st.sets(st.tuples(numbers, days_old, digests), max_size=12))]
    kept = {name: version(name, draw(days_old)) for name in draw(st.sets(names, max_size=8))}
    ran = {f"r{number}": run(number, f"r{number}", draw(days_old)) for number in draw(st.sets(numbers, max_size=6))}
    live = draw(st.lists(st.sampled_from(sorted(kept)), max_size=6)) if kept else []
    folders = [one[0].key.removesuffix("inputs.json") for one in ran.values()]
    promoting = [draw(st.sampled_from([None, *folders])) for _ in live]
    log = tuple(Served(one, toy.START + n * toy.DAY, promoting[n]) for n, one in enumerate(live))
    trained_on = {
        name: frozenset((toy.day(day), digest * 12) for day, digest in draw(st.sets(st.tuples(numbers, digests))))
        for name in kept
    }
    every_row = [one.key for group in rows for one in group[:1]]
    late = draw(st.sets(st.sampled_from(folders), max_size=2)) if folders else set()
    opened = draw(st.sets(st.sampled_from(sorted(late)), max_size=1)) if late else set()
    pins = frozenset(draw(st.sets(st.sampled_from(every_row)))) if every_row else frozenset()
    torn = [at(keys.version(MODEL, "torn", "model.joblib"), draw(days_old)), snapshot(0, draw(days_old), "f")[0]]
    groups = [*rows, *kept.values(), *ran.values(), *([one] for one in torn), validation(1, draw(days_old))]
    listed = {one.key: one for group in groups for one in group}
    entries = [at(keys.promotion(MODEL, n + 1), 400) for n in range(len(live))]
    return [*listed.values(), *entries], Facts(log, trained_on, dict.fromkeys(late, pins), frozenset(opened))


@given(models())
def test_whatever_is_needed_is_never_freed(drawn):
    """Says again, in other words than the room does, what must stay."""
    listed, facts = drawn
    gone = freed(listed, facts)
    left = {one.key for one in listed} - gone
    standing = {key.split("/")[2] for key in left if "/versions/" in key and key.endswith("manifest.json")}
    last_live = []
    for entry in reversed(facts.log):
        if entry.version not in last_live and len(last_live) < POLICY.live_versions:
            last_live.append(entry.version)
    for key in gone:
        kind, *rest = key.split("/")[1:]
        assert kind not in {"promotions", "collections"}
        if kind == "versions":
            assert rest[0] not in last_live
            assert not facts.open_runs, "a run is open"
        if kind == "snapshots":
            day, digest = keys.parse_span(rest[0]), rest[1].rpartition("-")[2]
            assert not any((day, digest) in facts.digests[name] for name in standing), "trained on"
            assert not any(
                key.startswith(pin.removesuffix("rows.parquet")) for pins in facts.pinned.values() for pin in pins
            )
        if kind == "runs":
            folder = key.rpartition("/")[0] + "/"
            assert folder not in facts.pinned
            assert not any(entry.run == folder and entry.version in last_live for entry in facts.log)
    by_key = {one.key: one for one in listed}
    assert all(NOW - by_key[key].modified_at >= timedelta(days=2) for key in gone)


@given(models())
def test_a_group_goes_whole_or_not_at_all(drawn):
    listed, facts = drawn
    gone = freed(listed, facts)
    assert all(gone.issuperset(one.keys) or gone.isdisjoint(one.keys) for one in inventory.take(MODEL, listed))


@given(models())
def test_what_is_left_is_not_freed_by_a_second_look(drawn):
    """One collection is enough: what it leaves, the next one leaves too."""
    listed, facts = drawn
    gone = freed(listed, facts)
    left = [one for one in listed if one.key not in gone]
    standing = {one.name for one in inventory.take(MODEL, left) if one.kind == "versions" and one.is_complete}
    digests = {name: found for name, found in facts.digests.items() if name in standing}
    assert freed(left, Facts(facts.log, digests, facts.pinned, facts.open_runs)) == set()


@given(models(), st.integers(0, 400), st.integers(0, 10))
def test_keeping_for_longer_or_more_frees_no_more(drawn, days, newest):
    listed, facts = drawn
    longer = {
        name: Keep(keep.days + days, keep.newest + newest)
        for name, keep in vars(POLICY).items()
        if isinstance(keep, Keep)
    }
    more = Retention(**longer, live_versions=POLICY.live_versions + newest)
    assert freed(listed, facts, more) <= freed(listed, facts)
