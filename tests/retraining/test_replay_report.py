"""What a replay tells: means over intervals, gains and costs on their scale, and sentences."""

import json
import re

import pytest

from include.retraining import replay_report, rivals
from include.retraining.replaying import play
from tests.retraining import replays

NAMES = ("never", "every", "5", "5+recalibration")


def chance(knows, day):
    """Let models be the better the more they know of the days before."""
    return 0.5 - 0.02 * (day - knows)


def reported(names=NAMES, count=20, says=chance, **about):
    found = replays.history(count, rows=replays.half_late)
    begun, scores = replays.begun(found, replays.Told(found, says))
    played = [play(begun, scores, rivals.parse(name)) for name in names]
    return replay_report.report(found, begun, played, {"candidates": ["told"], "shuffle": None, **about})


REPORT = reported()
POLICIES = {one["name"]: one for one in REPORT["policies"]}


def test_gains_and_costs_are_shares_between_never_and_every():
    never, every, five = (POLICIES[name] for name in ("never", "every", "5"))
    assert [(one["gain"], one["cost"], one["against_never"]) for one in (never, every)] == [
        (0.0, 0.0, 0.0),
        (1.0, 1.0, pytest.approx(every["loss"] / never["loss"] - 1)),
    ]
    assert five["gain"] == pytest.approx((never["loss"] - five["loss"]) / (never["loss"] - every["loss"]))
    assert 0 < five["gain"] < 1
    assert five["cost"] == pytest.approx(2 / 14)
    assert (five["fits"], five["promotions"], five["cpu_s"]) == (2, 2, 2.0)


def test_a_loss_is_the_mean_of_intervals():
    steps = POLICIES["5"]["steps"]
    assert POLICIES["5"]["loss"] == pytest.approx(sum(one["loss"] for one in steps) / len(steps))
    assert REPORT["judged"]["intervals"] == len(steps) == 14


def test_without_a_scale_nothing_is_a_share():
    (five,) = reported(["5"])["policies"]
    assert (five["gain"], five["cost"], five["against_never"]) == (None, None, None)
    worse = reported(["never", "every"], says=lambda knows, _: 0.5 if knows == 2 else 0.3)["policies"]
    assert [one["gain"] for one in worse] == [None, None]
    assert worse[1]["against_never"] > 0


def test_it_is_plain_json():
    assert json.loads(json.dumps(REPORT)) == REPORT


def test_the_table_has_the_lowest_loss_first():
    rows = replay_report.table(REPORT)
    assert [row["policy"] for row in rows] == sorted(POLICIES, key=lambda name: POLICIES[name]["loss"])
    assert (rows[0]["policy"], rows[-1]["policy"]) == ("every", "never")
    assert list(rows[0]) == ["policy", "log loss", "against never", "gain", "fits", "promoted", "CPU", "cost"]
    assert (rows[0]["gain"], rows[0]["fits"], rows[-1]["cost"]) == ("100.0 %", "14", "0.0 %")


def test_the_sentence_names_what_costs_little():
    told = replay_report.sentence(reported(["never", "every", "5", "12", "never+recalibration"]))
    assert told.startswith("14 intervals, 2024-01-07 to 2024-01-20. Of those at up to a tenth of its cost, ")
    assert re.search(r"Every 5 has the lowest log loss, 0\.\d{4}\.$", replay_report.sentence(reported(["never", "5"])))
    assert ", in random order, so that nothing drifts." in replay_report.sentence(reported(["never"], shuffle=0))


def test_ours_is_told():
    told = replay_report.sentence(reported(["never", "every", "ours"]))
    assert re.search(r" Ours gets 5\d\.\d % of what a refit every interval brings, for 7\.1 % of its CPU time\.", told)


def test_nothing_judged_is_no_report():
    found = replays.history(7, rows=replays.half_late)
    begun, scores = replays.begun(found, replays.Told(found, chance))
    found.rows.pop(found.intervals[-1])
    with pytest.raises(ValueError, match="Nothing was judged"):
        replay_report.report(found, begun, [play(begun, scores, rivals.parse("never"))], {})
