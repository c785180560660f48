"""Rollback: refused with one clear message, or exactly one more entry; the version is loaded before anything moves."""

import json
from dataclasses import asdict
from datetime import timedelta

import jsonschema
import pytest

from include.retraining import drift, evaluating, keys, records, rollback, signing, snapshots, verifying
from include.retraining.errors import BadInput, IntegrityError, PromotionConflict
from include.retraining.promotion_log import Entry
from include.retraining.registry import ARTIFACT, BASELINE, CARD, MANIFEST, SMOKE, Registry
from tests.conftest import ROOT
from tests.retraining import toy
from tests.retraining.desks import ABOUT, flip, objects, trained, unsigned

FIRST, SECOND, THIRD = (f"2024010{day}-00000000000{day}" for day in (5, 6, 7))
FRAMES = [toy.rows(number) for number in range(13)]


@pytest.fixture
def desk(store, keyring) -> Registry:
    """Return the registry of one model, in a folder."""
    return Registry(store, keyring, "parcels")


def run_of(version: str) -> str:
    return keys.run("parcels", toy.day(4), f"run {version}")


def register(desk: Registry, version: str) -> None:
    window = {"start": "2024-01-01T00:00:00+00:00", "end": f"{version[:4]}-{version[4:6]}-{version[6:8]}T00:00:00Z"}
    baseline = signing.canonical(drift.sketch(FRAMES[:4], toy.spec()))
    files = {**trained(), BASELINE: baseline, CARD: b"# card"}
    desk.register(version, files, {**ABOUT, "training_window": window, "run": run_of(version)})


def promote(desk: Registry, version: str, day: int) -> Entry:
    """Promote a version on a day, by its own run and verdict."""
    head = desk.head()
    about = {"reason": "better", "actor": "scheduled", "verdict_sha256": version[-1] * 64, "run": run_of(version)}
    base = head.number if head else 0
    return desk.promote(version, base, toy.day(day).start, {**about, "nonce": f"promotion {base}"})


def served(desk: Registry, *versions: str) -> None:
    """Register versions and promote them one day after the other, from day 6 on."""
    head = desk.head()
    for place, version in enumerate(versions, head.number if head else 0):
        register(desk, version)
        promote(desk, version, 6 + place)


def ask(version: str = rollback.PREVIOUS, nonce: str = "mine", reason: str = "It is wrong.") -> rollback.Request:
    return rollback.Request("parcels", version, reason, "ann", nonce)


def roll_back(desk: Registry, version: str = rollback.PREVIOUS, nonce: str = "mine") -> Entry:
    return rollback.carry_out(desk, rollback.plan(desk, ask(version, nonce)))


# What is refused.


def test_before_the_first_champion_there_is_nothing_to_roll_back(desk):
    with pytest.raises(BadInput, match="parcels has no champion yet, so there is nothing to roll back"):
        rollback.plan(desk, ask())


def test_before_the_first_champion_nothing_was_live(desk):
    served(desk, FIRST)
    with pytest.raises(BadInput) as refused:
        rollback.plan(desk, ask())
    assert str(refused.value) == (
        f"Nothing was live before {FIRST}, the first champion of parcels. Name a version instead; those that exist, "
        f"newest first: {FIRST} (trained 2024-01-01 to 2024-01-05)."
    )


@pytest.mark.parametrize(
    "version", ["20240105-0000000000ff", "20991231-000000000001", "newest", "../parcels", "", "None", f"{FIRST}\n"]
)
def test_an_unknown_version_is_refused_with_those_that_exist_newest_first(desk, version):
    served(desk, FIRST, SECOND)
    before = objects(desk.store)
    with pytest.raises(BadInput) as refused:
        rollback.plan(desk, ask(version))
    assert str(refused.value) == (
        f"There is no version {version!r} of parcels; those that exist, newest first: {SECOND} (trained 2024-01-01 to "
        f"2024-01-06), {FIRST} (trained 2024-01-01 to 2024-01-05)."
    )
    assert objects(desk.store) == before


def test_of_many_versions_the_newest_are_named_and_the_others_counted(desk):
    served(desk, FIRST, SECOND)
    for number in range(rollback.MOST):
        register(desk, f"20240108-{number:012d}")
    with pytest.raises(BadInput, match=r"newest first: 20240108-0{10}19 .*20240108-0{12} .*, and 2 older ones\."):
        rollback.plan(desk, ask("20240101-0000000000ff"))


def test_the_champion_itself_is_refused(desk):
    served(desk, FIRST, SECOND)
    with pytest.raises(BadInput, match=f"{SECOND} is the champion of parcels already \\(entry 2\\). Nothing was"):
        rollback.plan(desk, ask(SECOND))


@pytest.mark.parametrize("reason", [None, "", " \n\t "])
def test_an_empty_reason_is_refused_whatever_the_trigger_let_through(reason):
    with pytest.raises(BadInput, match=r"The reason is empty\. Say why the champion has to go"):
        rollback.read_form({"model": "parcels", "reason": reason}, "ann", "manual__1")


@pytest.mark.parametrize(
    ("form", "message"),
    [
        (
            {"verison": FIRST},
            r"unknown fields \['verison'\]; expected some of \['dry_run', 'model', 'reason', 'version'",
        ),
        ({"dry_run": "no"}, "dry_run is 'no'; expected true or false"),
        ({"dry_run": None}, "dry_run is None; expected true or false"),
    ],
)
def test_a_form_that_was_not_made_by_the_dialog_is_checked_again(form, message):
    with pytest.raises(BadInput, match=message):
        rollback.read_form({"model": "parcels", "reason": "It is wrong.", **form}, "ann", "manual__1")


def test_a_form_becomes_a_request_on_one_line_that_is_the_same_in_every_try():
    form = {"model": "parcels", "reason": " It is\n wrong. ", "version": FIRST, "dry_run": True}
    asked = rollback.read_form(form, "ann", "manual__1")
    assert (asked.model, asked.version, asked.reason, asked.actor) == ("parcels", FIRST, "It is wrong.", "ann")
    assert asked.is_dry
    assert asked.nonce == rollback.read_form(form, "ann", "manual__1").nonce
    assert asked.nonce != rollback.read_form(form, "ann", "manual__2").nonce


@pytest.mark.parametrize(
    ("name", "damage"),
    [(ARTIFACT, flip), (ARTIFACT, lambda data: data[:-1]), (SMOKE, flip), (MANIFEST, unsigned)],
    ids=["artifact altered", "artifact cut off", "smoke test altered", "manifest unsigned"],
)
@pytest.mark.parametrize("is_planned", [False, True], ids=["before the check", "after the check"])
def test_a_version_that_does_not_hold_moves_nothing(desk, name, damage, is_planned):
    served(desk, FIRST, SECOND)
    planned = rollback.plan(desk, ask())
    key = keys.version("parcels", FIRST, name)
    desk.store.put(key, damage(desk.store.get(key)))
    before = objects(desk.store)
    with pytest.raises(IntegrityError, match="failed check"):
        rollback.carry_out(desk, planned) if is_planned else rollback.plan(desk, ask())
    assert objects(desk.store) == before


def test_a_manifest_that_is_not_the_one_that_was_promoted_moves_nothing(desk):
    served(desk, FIRST, SECOND)
    key = keys.version("parcels", FIRST, MANIFEST)
    other = {**json.loads(desk.store.get(key)), "asked_by": "eve"}
    desk.store.put(key, signing.canonical(signing.sign(other, desk.keyring, other["kind"])))
    assert desk.load(FIRST), "by its own manifest it loads"
    with pytest.raises(IntegrityError, match=r"is not the one that entry 1 made the champion.*failed check: chain"):
        rollback.plan(desk, ask())


@pytest.mark.parametrize("damage", [flip, unsigned, None], ids=["altered", "unsigned", "gone"])
@pytest.mark.parametrize("number", [1, 2])
def test_an_older_entry_that_does_not_hold_keeps_no_bad_champion_in_place(desk, damage, number):
    """Entry 1 names neither; of entry 2, which names the target, the version's own manifest is left to go by."""
    served(desk, FIRST, SECOND, THIRD)
    key = keys.promotion("parcels", number)
    desk.store.put(key, damage(desk.store.get(key))) if damage else desk.store.delete(key)
    planned = rollback.plan(desk, ask())
    assert planned.version == SECOND
    assert f"Warning: log entries {number} are damaged or gone" in rollback.describe(desk, planned)
    assert rollback.carry_out(desk, planned).number == 4
    assert rollback.plan(desk, ask()).base == 3, "the same request finds its entry"


def test_a_newest_entry_that_does_not_hold_moves_nothing(desk):
    served(desk, FIRST, SECOND)
    key = keys.promotion("parcels", 2)
    desk.store.put(key, flip(desk.store.get(key)))
    with pytest.raises(IntegrityError, match=key):
        rollback.plan(desk, ask(FIRST))


def test_a_version_that_is_gone_moves_nothing(desk):
    served(desk, FIRST, SECOND)
    planned = rollback.plan(desk, ask())
    desk.store.delete(keys.version("parcels", FIRST, ARTIFACT))
    before = objects(desk.store)
    for move in (lambda: rollback.carry_out(desk, planned), lambda: rollback.plan(desk, ask(FIRST))):
        with pytest.raises(IntegrityError, match=f"{FIRST}/{ARTIFACT}.*failed check: presence"):
            move()
    assert objects(desk.store) == before


def test_a_promotion_in_between_wins_and_the_rollback_changes_nothing(desk):
    served(desk, FIRST, SECOND)
    planned = rollback.plan(desk, ask())
    served(desk, THIRD)
    before = objects(desk.store)
    with pytest.raises(PromotionConflict) as refused:
        rollback.carry_out(desk, planned)
    assert str(refused.value) == (
        f"{SECOND} (entry 2) is no longer the champion of parcels: another entry came in between. Nothing was changed; "
        "see who is live now, then roll back again if it is still needed."
    )
    assert objects(desk.store) == before


def test_two_people_who_bring_back_the_same_version_at_once_make_one_entry(desk):
    served(desk, FIRST, SECOND)
    both = [rollback.plan(desk, ask(nonce=nonce)) for nonce in ("ann's", "bob's")]
    entries = [rollback.carry_out(desk, planned) for planned in both]
    assert entries[0] == entries[1] == desk.head()
    assert (desk.head().number, desk.head().content["nonce"]) == (3, "ann's")


# What it does.


def test_a_rollback_is_one_more_entry_with_the_verdict_that_speaks_for_the_version(desk):
    served(desk, FIRST, SECOND)
    content = roll_back(desk).content
    assert {name: content[name] for name in ("action", "version", "previous_version", "number")} == {
        "action": "rollback",
        "version": FIRST,
        "previous_version": SECOND,
        "number": 3,
    }
    assert (content["reason"], content["actor"], content["nonce"]) == ("It is wrong.", "ann", "mine")
    assert (content["run"], content["verdict_sha256"]) == (run_of(FIRST), FIRST[-1] * 64)
    assert desk.head().version == FIRST
    schema = json.loads((ROOT / "include" / "retraining" / "schemas" / "promotion.json").read_text())
    jsonschema.validate(content, schema)


def test_nothing_that_was_there_is_removed_or_changed_but_the_hint(desk):
    served(desk, FIRST, SECOND)
    before = objects(desk.store)
    roll_back(desk)
    after = objects(desk.store)
    assert set(after) - set(before) == {keys.promotion("parcels", 3)}
    assert [key for key in before if after.get(key) != before[key]] == [keys.champion_hint("parcels")]
    assert verifying.verify(desk).findings == ()


def test_a_rollback_of_a_rollback_restores_what_was_live_before_it(desk):
    served(desk, FIRST, SECOND)
    assert [roll_back(desk, nonce=nonce).version for nonce in "abc"] == [FIRST, SECOND, FIRST]
    assert [entry.content["run"] for entry in desk.log()[2:]] == [run_of(FIRST), run_of(SECOND), run_of(FIRST)]


def test_previously_live_is_what_was_live_before_the_newest_entry_not_the_one_trained_before(desk):
    served(desk, FIRST, THIRD, SECOND)
    assert roll_back(desk).version == THIRD


def test_any_version_that_exists_may_be_named(desk):
    served(desk, FIRST, SECOND, THIRD)
    assert roll_back(desk, FIRST).version == FIRST
    assert roll_back(desk, nonce="again").version == THIRD, "what was live before the rollback"


def test_for_a_version_that_never_was_live_the_run_that_registered_it_speaks(desk):
    served(desk, FIRST)
    verdict = {"answer": "lose", "challenger": {"version": SECOND, "losses": {"a": 0.5}}}
    register(desk, SECOND)
    assert rollback.plan(desk, ask(SECOND)).verdict_sha256 is None, "nothing was judged"
    records.write_section(desk.store, run_of(SECOND), "verdict", verdict)
    content = roll_back(desk, SECOND).content
    assert (content["run"], content["verdict_sha256"]) == (run_of(SECOND), signing.sha256(signing.canonical(verdict)))


# When it takes effect.


def frozen(desk: Registry, number: int, rows: int = 60) -> snapshots.Frozen:
    as_of = toy.day(number).end
    frame = toy.rows(number)[:rows]
    return snapshots.freeze_snapshot(desk.store, desk.keyring, toy.spec(), toy.day(number), as_of, frame)


def test_without_a_newer_snapshot_it_takes_effect_with_the_entry_before(desk):
    served(desk, FIRST, SECOND)
    frozen(desk, 3)
    assert roll_back(desk).effective_from == toy.day(7).start


@pytest.mark.parametrize("newest", [7, 9])
def test_it_takes_effect_where_the_stored_data_end(desk, newest):
    served(desk, FIRST, SECOND)
    for number in (3, newest):
        frozen(desk, number)
    assert roll_back(desk).effective_from == toy.day(newest).end


def test_an_interval_without_rows_moves_nothing_into_the_future(desk):
    """A schedule that goes on beyond the data freezes empty intervals."""
    served(desk, FIRST, SECOND)
    frozen(desk, 9)
    frozen(desk, 900, rows=0)
    assert roll_back(desk).effective_from == toy.day(9).end


@pytest.mark.parametrize("damage", [flip, unsigned, lambda _: b"{}"])
def test_a_snapshot_that_does_not_hold_moves_nothing_and_is_in_nobodys_way(desk, damage):
    served(desk, FIRST, SECOND)
    frozen(desk, 9)
    key = keys.rows_manifest(frozen(desk, 10).key)
    desk.store.put(key, damage(desk.store.get(key)))
    desk.store.put(keys.snapshot_rows("parcels", toy.day(11), toy.day(11).end, "f" * 64), b"no manifest names it")
    assert roll_back(desk).effective_from == toy.day(9).end


@pytest.mark.parametrize("stray", [".DS_Store", "notes/.DS_Store"])
def test_what_a_desktop_left_beside_the_snapshots_is_in_nobodys_way(desk, stray):
    served(desk, FIRST, SECOND)
    frozen(desk, 9)
    desk.store.put(f"{keys.snapshots('parcels')}{stray}", b"x")
    assert roll_back(desk).effective_from == toy.day(9).end


def test_who_was_live_before_stays_who_was_live_before(desk):
    served(desk, FIRST, SECOND)
    frozen(desk, 9)
    roll_back(desk)
    end, moment = toy.day(9).end, timedelta(seconds=1)
    live = {at: desk.live_at(at, 3).version for at in (toy.day(6).start, toy.day(7).start, end - moment, end)}
    assert list(live.values()) == [FIRST, SECOND, SECOND, FIRST]
    assert desk.live_at(end, 2).version == SECOND, "as the log stood before the rollback"


def test_the_next_run_evaluates_the_version_rolled_back_to(desk, keyring):
    served(desk, FIRST, SECOND)
    earlier = toy.pin(desk.store, keyring, toy.spec(), FRAMES[:-1], base=2, run="earlier")
    assert evaluating.evaluate(desk, toy.spec(), earlier, toy.PASSED)["champion"] == SECOND
    entry = roll_back(desk)
    assert entry.effective_from == toy.day(12).start
    later = toy.pin(desk.store, keyring, toy.spec(), FRAMES, base=3, run="later")
    found = evaluating.evaluate(desk, toy.spec(), later, toy.PASSED)
    assert (found["champion"], found["entry"]) == (FIRST, 3)
    assert (found["reference_losses"], found["served_intervals"]) == ([], 0), "it begins anew"
    by_version = {line["version"]: keys.parse_span(line["span"]).start for line in found["intervals"]}
    assert by_version == {FIRST: toy.day(6).start, SECOND: toy.day(11).start}, "what each really served"


# Again.


def test_a_second_try_finds_the_entry_of_the_first(desk):
    served(desk, FIRST, SECOND)
    planned = rollback.plan(desk, ask())
    entry, before = rollback.carry_out(desk, planned), objects(desk.store)
    assert rollback.carry_out(desk, rollback.Plan(**asdict(planned))) == entry
    assert objects(desk.store) == before


@pytest.mark.parametrize("is_later", [False, True], ids=["at the head", "after a later promotion"])
def test_a_run_that_is_cleared_whole_never_rolls_back_twice(desk, is_later):
    served(desk, FIRST, SECOND)
    planned = rollback.plan(desk, ask())
    entry = rollback.carry_out(desk, planned)
    if is_later:
        served(desk, THIRD)
    before = objects(desk.store)
    again = rollback.plan(desk, ask())
    assert again == planned
    assert rollback.carry_out(desk, again) == entry
    assert objects(desk.store) == before


# What people read.


def test_the_change_is_told_beside_every_version_newest_first(desk):
    served(desk, FIRST, SECOND)
    register(desk, THIRD)
    assert rollback.describe(desk, rollback.plan(desk, ask())).splitlines() == [
        f"parcels: from {SECOND} to {FIRST}, effective from 20240108T000000Z. Reason: It is wrong. (ann)",
        "",
        "version                trained                   live_since        entry  rollback",
        f"{THIRD}  2024-01-01 to 2024-01-07  -                 -",
        f"{SECOND}  2024-01-01 to 2024-01-06  20240108T000000Z  2      from",
        f"{FIRST}  2024-01-01 to 2024-01-05  20240107T000000Z  1      to",
    ]


def test_of_a_version_that_was_live_more_than_once_the_last_time_is_told(desk):
    served(desk, FIRST, SECOND)
    frozen(desk, 9)
    roll_back(desk)
    lines = rollback.rows(desk, rollback.plan(desk, ask(nonce="again")))
    assert [(line["live_since"], line["entry"], line["rollback"]) for line in lines] == [
        ("20240108T000000Z", 2, "to"),
        ("20240111T000000Z", 3, "from"),
    ]


def test_a_damaged_manifest_of_another_version_hides_nothing(desk):
    served(desk, FIRST, SECOND)
    register(desk, THIRD)
    key = keys.version("parcels", THIRD, MANIFEST)
    desk.store.put(key, unsigned(desk.store.get(key)))
    lines = rollback.rows(desk, rollback.plan(desk, ask()))
    assert [line["trained"] for line in lines] == [
        "unknown, failed check: signature",
        "2024-01-01 to 2024-01-06",
        "2024-01-01 to 2024-01-05",
    ]


def test_of_many_versions_both_ends_of_the_rollback_are_shown_and_the_others_counted(desk):
    served(desk, FIRST, SECOND, THIRD)
    for number in range(rollback.MOST):
        register(desk, f"20240108-{number:012d}")
    planned = rollback.plan(desk, ask(FIRST))
    lines = rollback.rows(desk, planned)
    assert [line["version"] for line in lines[-2:]] == [THIRD, FIRST]
    assert len(lines) == rollback.MOST + 2
    assert rollback.describe(desk, planned).splitlines()[-1] == "and 1 older versions"


@pytest.mark.parametrize(("reason", "told"), [("It is wrong", "It is wrong."), ("Why not?", "Why not?")])
def test_the_message_says_from_what_to_what_by_whom_and_why(desk, reason, told):
    served(desk, FIRST, SECOND)
    entry = rollback.carry_out(desk, rollback.plan(desk, ask(reason=reason)))
    found = rollback.told(entry, "manual__1")
    assert found["sentences"] == [f"From {SECOND} to {FIRST} by ann: {told}"]
    assert (found["champion"], found["answer"], found["run"]) == (FIRST, "rolled back", "manual__1")
    assert found["interval"] == "from 20240108T000000Z"
