"""What was really predicted is judged once labels are known; what was not kept is predicted again, and it is said."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from include.retraining import (
    corrections,
    evaluating,
    keys,
    predicting,
    predictions,
    recalibration,
    records,
    served,
    training,
)
from include.retraining.corrections import Correction
from include.retraining.errors import DataError, IntegrityError
from include.retraining.registry import ARTIFACT, Registry
from tests.retraining import desks, toy

SPEC = toy.spec()
FIRST, SECOND = "20240105-00000000000a", "20240105-00000000000b"
FRAMES = [toy.rows(number) for number in range(12)]
SOLD = replace(SPEC, slices=("region", "carrier"))


@pytest.fixture
def desk(store, keyring) -> Registry:
    """Return a registry with two champions: one from day 6 on, one from day 9 on."""
    found = Registry(store, keyring, "parcels")
    for base, (version, day) in enumerate(((FIRST, 6), (SECOND, 9))):
        files = {**desks.trained(), "baseline.json": b'{"format_version":1,"intervals":0,"features":{},"limits":{}}'}
        found.register(version, files, desks.ABOUT)
        found.promote(version, base, toy.day(day).start, desks.promotion(version))
    return found


def kept(
    desk: Registry, day: int, chance: float = 0.25, rows: pd.DataFrame | None = None, version: str = FIRST
) -> predictions.Predicted:
    """Store the same prediction for every row of a day, as the version that was live might have made it."""
    frame = FRAMES[day] if rows is None else rows
    table = predicting.table(frame, SPEC, np.full(len(frame), chance), None, ())
    key = keys.prediction_rows("parcels", toy.day(day), version, None)
    about = {"version": version, "entry": 1, "snapshot_sha256": "5" * 64, "as_of": "x", "unusable": 0}
    return predictions.write(desk.store, desk.keyring, key, table, about)


def judged(desk: Registry, day: int, spec=SPEC, frame: pd.DataFrame | None = None) -> dict:
    interval = toy.day(day)
    (line,) = served.judge(
        served.Versions(desk),
        spec,
        {interval: FRAMES[day] if frame is None else frame},
        {interval: desk.live_at(interval.start, 2)},
    )
    return line


def loss_of(chance: float, frame: pd.DataFrame) -> float:
    return float(-np.mean(np.where(frame["late"] == 1, np.log(chance), np.log(1 - chance))))


class TestSource:
    def test_what_was_predicted_is_judged_and_no_version_is_loaded(self, desk):
        kept(desk, 7)
        desk.store.put(keys.version("parcels", FIRST, ARTIFACT), b"x")
        line = judged(desk, 7)
        assert (line["source"], line["version"], line["rows"]) == ("served", FIRST, toy.ROWS)
        assert line["log_loss"] == pytest.approx(loss_of(0.25, FRAMES[7]))
        assert "missing" not in line
        assert line["raw_errors"]["mean"] == pytest.approx(0.25 - FRAMES[7]["late"].mean())

    def test_without_predictions_the_version_that_was_live_predicts_again(self, desk):
        line = judged(desk, 7)
        assert line["source"] == "re-scored"
        assert line["log_loss"] == training.score(desk.load(FIRST), FRAMES[7], SPEC)["log_loss"]
        assert "missing" not in line

    @pytest.mark.parametrize("lacking", [1, 59, 60])
    def test_where_labelled_rows_have_none_all_are_predicted_again_and_their_number_told(self, desk, lacking):
        kept(desk, 7, rows=FRAMES[7][lacking:])
        line = judged(desk, 7)
        assert (line["source"], line["missing"]) == ("re-scored", lacking)
        assert line["log_loss"] == training.score(desk.load(FIRST), FRAMES[7], SPEC)["log_loss"]

    def test_rows_without_a_label_need_no_prediction_and_others_may_have_one(self, desk):
        kept(desk, 7, rows=FRAMES[7][10:])
        assert judged(desk, 7, frame=FRAMES[7][20:])["source"] == "served"

    def test_two_predictions_for_a_key_are_none(self, desk):
        kept(desk, 7, rows=pd.concat([FRAMES[7], FRAMES[7][:1]]))
        assert judged(desk, 7)["missing"] == 1

    def test_what_another_version_predicted_is_not_judged(self, desk):
        kept(desk, 7, version=SECOND)
        assert judged(desk, 7)["source"] == "re-scored"
        kept(desk, 9, version=SECOND)
        assert (judged(desk, 9)["source"], judged(desk, 9)["version"]) == ("served", SECOND)

    def test_predictions_that_are_not_what_was_written_are_never_judged(self, desk):
        found = kept(desk, 7)
        desk.store.put(found.key, b"x")
        with pytest.raises(IntegrityError, match=r"raw.parquet has 1 bytes, its manifest says"):
            judged(desk, 7)

    def test_a_version_that_gives_nonsense_is_named(self, desk, monkeypatch):
        class Nan:
            def predict_proba(self, rows: pd.DataFrame) -> np.ndarray:
                return np.full((len(rows), 2), np.nan)

        monkeypatch.setattr(Registry, "load_live", lambda *_: Nan())
        with pytest.raises(DataError, match=f"Version {FIRST} gives NaN or values out of range for 60 of 60 rows"):
            judged(desk, 7)

    def test_lines_come_oldest_first_whoever_served(self, desk):
        rows = {toy.day(number): FRAMES[number] for number in (10, 7, 9, 6)}
        versions = served.Versions(desk)
        lines = served.judge(versions, SPEC, rows, {one: desk.live_at(one.start, 2) for one in rows})
        assert [line["span"] for line in lines] == [keys.span(toy.day(number)) for number in (6, 7, 9, 10)]
        assert [line["version"] for line in lines] == [FIRST, FIRST, SECOND, SECOND]
        assert versions.unloadable == {}


class TestAnotherRelease:
    @pytest.fixture
    def desk(self, store, keyring) -> Registry:
        found = Registry(store, keyring, "parcels")
        libraries = {**desks.ABOUT["libraries"], "scikit-learn": "0.1"}
        about = {**desks.ABOUT, "libraries": libraries}
        found.register(FIRST, desks.trained(), about)
        manifest_sha256 = __import__("hashlib").sha256(store.get(keys.version("parcels", FIRST, "manifest.json")))
        found.append(
            0, FIRST, manifest_sha256.hexdigest(), toy.day(6).start, {**desks.promotion(), "action": "promote"}
        )
        return found

    def test_its_kept_predictions_are_judged_and_the_rest_is_told(self, desk):
        kept(desk, 7)
        rows = {toy.day(number): FRAMES[number] for number in (7, 8)}
        live = {one: desk.live_at(one.start, 1) for one in rows}
        versions = served.Versions(desk)
        lines = served.judge(versions, SPEC, rows, live)
        assert [line["span"] for line in lines] == [keys.span(toy.day(7))]
        assert "scikit-learn" in versions.unloadable[FIRST]


class TestCorrection:
    CORRECTION = Correction(FIRST, keys.stamp(toy.day(7).start), "a" * 64, {"shift": 1.0, "slope": 0.5})

    def test_what_is_predicted_again_is_corrected_as_it_was_then(self, desk):
        corrections.write(desk.store, desk.keyring, "parcels", toy.day(7), self.CORRECTION)
        line, raw = judged(desk, 7), training.predict(desk.load(FIRST), FRAMES[7], SPEC)
        assert line["correction"] == self.CORRECTION.digest[:12]
        expected = recalibration.apply(self.CORRECTION.numbers, raw)
        assert line["brier"] == pytest.approx(np.mean((expected - FRAMES[7]["late"]) ** 2))
        assert "correction" not in judged(desk, 8)

    def test_what_was_served_is_judged_as_it_was_whatever_correction_came_later(self, desk):
        kept(desk, 7)
        corrections.write(desk.store, desk.keyring, "parcels", toy.day(7), self.CORRECTION)
        line = judged(desk, 7)
        assert (line["source"], "correction" in line) == ("served", False)
        assert line["log_loss"] == pytest.approx(loss_of(0.25, FRAMES[7]))


class TestLine:
    def test_slices_are_told_by_value(self, desk):
        kept(desk, 7)
        found = judged(desk, 7, SOLD)["slices"]
        assert {column: sorted(values) for column, values in found.items()} == {
            "region": ["north", "south"],
            "carrier": ["bike", "train", "van"],
        }
        north = FRAMES[7][FRAMES[7]["region"] == "north"]
        assert found["region"]["north"] == {"rows": len(north), "loss": pytest.approx(loss_of(0.25, north))}

    def test_values_that_a_spec_hides_are_no_slices(self, desk):
        kept(desk, 7)
        hidden = replace(SPEC, privacy={**SPEC.privacy, "region": "pseudonymise"})
        assert judged(desk, 7, hidden)["slices"] == {}

    def test_a_metric_that_an_interval_does_not_have_says_why(self, desk):
        frame = FRAMES[7].assign(late=0.0)
        kept(desk, 7)
        line = judged(desk, 7, frame=frame)
        assert line["auc"] is None
        assert line["undefined"]["auc"] == "All 60 labels are 0."
        assert line["log_loss"] == pytest.approx(-np.log(0.75))


class TestEvaluate:
    """The whole of it: by run, as labels arrive, late, corrected, or never."""

    def pin(self, desk: Registry, frames, run: str = "manual__1", **changes):
        inputs = toy.pin(desk.store, desk.keyring, SPEC, frames, base=2, run=run)
        return records.Inputs(inputs.key, {**inputs.content, **changes})

    def evaluate(self, desk: Registry, frames, run: str = "manual__1", **changes) -> dict:
        inputs = self.pin(desk, frames, run, **changes)
        found = evaluating.evaluate(desk, SPEC, inputs, toy.PASSED)
        records.write_section(desk.store, inputs.prefix, "evaluation", found)
        report = {"as_of": inputs.content["as_of"], "base": 2, "dry_run": False, "answer": "keep"}
        records.write_section(desk.store, inputs.prefix, "report", report)
        return found

    def test_each_line_says_what_it_was_judged_by_and_on_which_labels(self, desk):
        for day in (6, 7, 9):
            kept(desk, day, rows=FRAMES[day][5:] if day == 7 else None, version=SECOND if day == 9 else FIRST)
        found, inputs = self.evaluate(desk, FRAMES), self.pin(desk, FRAMES)
        told = {line["span"]: (line["source"], line.get("missing")) for line in found["intervals"]}
        sources = {6: ("served", None), 7: ("re-scored", 5), 8: ("re-scored", None), 9: ("served", None)}
        assert told == {keys.span(toy.day(day)): one for day, one in {**sources, 10: ("re-scored", None)}.items()}
        assert all(
            line["labels"] == inputs.labels(keys.parse_span(line["span"])).sha256[:12] for line in found["intervals"]
        )
        assert found["sentence"].endswith(
            " 2 of 5 judged by what was predicted then. 1 scored again, for 5 labelled rows had no prediction."
        )

    def test_corrected_labels_are_judged_again_and_the_newest_line_counts(self, desk):
        for day in (9, 10):
            kept(desk, day, version=SECOND)
        first = self.evaluate(desk, FRAMES)
        mended = [*FRAMES[:9], FRAMES[9].assign(late=0.0), *FRAMES[10:], toy.rows(12)]
        kept(desk, 11, version=SECOND)
        found = self.evaluate(desk, mended, "manual__2")
        assert [(line["span"], line["again"]) for line in found["intervals"]] == [
            (keys.span(toy.day(9)), True),
            (keys.span(toy.day(11)), False),
        ]
        assert found["recent_losses"][0] == pytest.approx(-np.log(0.75))
        assert found["recent_losses"][1] == first["recent_losses"][1]
        assert found["newest_loss"] == found["intervals"][1]["log_loss"]
        assert "Scored 1 newly labelled interval(s)" in found["sentence"]
        assert "1 evaluated again, since labels were corrected or came late." in found["sentence"]
        later = self.evaluate(desk, [*mended, toy.rows(13)], "manual__3")
        assert [line["again"] for line in later["intervals"]] == [False], "judged on these labels already"
        assert later["recent_losses"][0] == pytest.approx(-np.log(0.75)), "the newest line counts"

    def test_corrected_labels_alone_are_no_newly_labelled_interval(self, desk):
        self.evaluate(desk, FRAMES)
        mended = [*FRAMES[:9], FRAMES[9].assign(late=0.0), *FRAMES[10:], toy.rows(12)]
        found = self.evaluate(desk, mended, "manual__2", **self.without(desk, mended, 11))
        assert ([line["again"] for line in found["intervals"]], found["newest_loss"]) == ([True], None)
        assert found["sentence"].startswith(
            f"Champion {SECOND}: no interval became labelled since the last evaluation. 1 evaluated again"
        )

    def without(self, desk: Registry, frames, *days: int) -> dict:
        """Return what inputs say where the labels of some days have not arrived."""
        waiting = [keys.span(toy.day(day)) for day in days]
        window = self.pin(desk, frames, "pinned").content["window"]
        window = {part: [one for one in spans if one not in waiting] for part, spans in window.items()}
        return {"window": window, "incomplete": waiting}

    def test_late_labels_are_judged_again(self, desk):
        late = FRAMES[9].assign(late=FRAMES[9]["late"].where(FRAMES[9].index >= 10))
        kept(desk, 9, version=SECOND)
        first = self.evaluate(desk, [*FRAMES[:9], late, *FRAMES[10:]])
        found = self.evaluate(desk, [*FRAMES, toy.rows(12)], "manual__2")
        lines = [{line["span"]: line for line in one["intervals"]}[keys.span(toy.day(9))] for one in (first, found)]
        assert [(line["rows"], line["again"], line["source"]) for line in lines] == [
            (50, False, "served"),
            (60, True, "served"),
        ]

    def test_lines_of_earlier_releases_do_not_say_on_which_labels_and_stand(self, desk):
        inputs = self.pin(desk, FRAMES)
        old = [{"span": keys.span(toy.day(day)), "version": SECOND, "log_loss": 0.5} for day in (6, 7, 8, 9, 10)]
        records.write_section(desk.store, inputs.prefix, "evaluation", {"intervals": old})
        report = {"as_of": inputs.content["as_of"], "base": 2, "dry_run": False, "answer": "keep"}
        records.write_section(desk.store, inputs.prefix, "report", report)
        found = self.evaluate(desk, [*FRAMES, toy.rows(12)], "manual__2")
        assert [line["span"] for line in found["intervals"]] == [keys.span(toy.day(11))]

    def test_labels_that_never_arrive_are_named_and_nothing_is_judged(self, desk):
        changes = self.without(desk, FRAMES, 3, 9, 10)
        found = self.evaluate(desk, FRAMES, **changes)
        assert {line["span"] for line in found["intervals"]}.isdisjoint(changes["incomplete"])
        told = f" 2 interval(s) have too few labels to be judged yet, the oldest {keys.span(toy.day(9))}."
        assert told in found["sentence"], "day 3 was not the champion's"

    def test_a_history_with_holes_is_judged_around_them(self, desk):
        for day in (6, 8, 10):
            kept(desk, day, version=SECOND if day == 10 else FIRST)
        frames = [*FRAMES[:7], FRAMES[7].head(0), FRAMES[8], FRAMES[9].head(10), *FRAMES[10:]]
        found = self.evaluate(desk, frames)
        assert [line["span"] for line in found["intervals"]] == [keys.span(toy.day(day)) for day in (6, 8, 10)]
        assert len(found["recent_losses"]) == 1
        assert found["recent"]["log_loss"]["method"] == "one interval has no bound"

    def test_labels_that_arrive_twice_stop_the_run_where_validation_did_not(self, desk):
        doubled = pd.concat([FRAMES[9], FRAMES[9][:1].assign(late=lambda held: 1 - held["late"])], ignore_index=True)
        with pytest.raises(DataError, match=r"1 rows and 1 labels of parcels.*Of these labels 1 contradict another"):
            self.evaluate(desk, [*FRAMES[:9], doubled, *FRAMES[10:]])
