"""Every kind of damage is found, with the check that failed and one thing to do; of a healthy store nothing is told."""

import json
import shutil
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest

from include.retraining import collecting, corrections, keys, predictions, records, signing
from include.retraining.corrections import Correction
from include.retraining.errors import Unavailable
from include.retraining.findings import REMAINS, Finding
from include.retraining.folder import TEMPORARY, open_folder
from include.retraining.inventory import UNKNOWN
from include.retraining.promotion_log import ENTRY, HINT
from include.retraining.registry import Registry
from include.retraining.store import missing
from include.retraining.verifying import describe, verify
from tests.conftest import SECRET
from tests.retraining import desks, shelves, toy
from tests.retraining.shelves import MODEL, POLICY, VERSIONS, Aged, Interrupted

OLD = timedelta(days=3)
CHAMPION, BEFORE, SPARE = VERSIONS[3], VERSIONS[2], VERSIONS[4]
RUN = keys.run(MODEL, toy.day(4), "scheduled__5")
COLLECT = "Run `python -m include.retraining collect parcels --delete`."
NO_MANIFEST = "No manifest names it, so it does not exist: a crash left it."


@pytest.fixture(scope="module")
def template(tmp_path_factory) -> Path:
    """Fill a folder once for all tests of this file."""
    folder = tmp_path_factory.mktemp("template")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.fsync", lambda _: None)
        shelves.fill(Registry(open_folder(folder), signing.Keyring("key-1", {"key-1": SECRET}), MODEL))
    return folder


@pytest.fixture
def desk(template, tmp_path, keyring) -> Registry:
    """Return a registry that was filled three days ago."""
    found = Registry(Aged(open_folder(Path(shutil.copytree(template, tmp_path / "store")))), keyring, MODEL)
    found.store.age(OLD)
    return found


def found(desk: Registry) -> tuple[Finding, ...]:
    return verify(desk, POLICY).findings


def only(desk: Registry) -> Finding:
    (finding,) = found(desk)
    return finding


def change(desk: Registry, key: str, how: Callable[[bytes], bytes]) -> None:
    """Change an object, as damage or a stranger would."""
    desk.store.put(key, how(desk.store.get(key)))


def resigned(desk: Registry, key: str, kind: str, **changes: object) -> None:
    """Change signed content and sign it again with our own key: a bug, not a stranger."""
    content = {**json.loads(desk.store.get(key)), **changes}
    desk.store.put(key, signing.canonical(signing.sign(content, desk.keyring, kind)))


def resealed(desk: Registry, key: str, **changes: object) -> None:
    content = {name: value for name, value in json.loads(desk.store.get(key)).items() if name != signing.SEAL}
    desk.store.put(key, signing.seal({**content, **changes}))


def altered(data: bytes) -> bytes:
    return data.replace(b'"ann"', b'"eve"')


def first(desk: Registry, prefix: str, ending: str = "") -> str:
    return next(one.key for one in desk.store.list(prefix) if one.key.endswith(ending))


class TestHealthy:
    @pytest.mark.door
    def test_nothing_is_told_of_it(self, any_store, keyring):
        desk = Registry(any_store, keyring, MODEL)
        shelves.fill(desk)
        checked = verify(desk, POLICY)
        assert (checked.findings, checked.unfinished) == ((), 0)
        assert checked.checked == len(list(any_store.list("")))
        assert checked.size_bytes == sum(one.size_bytes for one in any_store.list(""))
        assert checked.sentence.endswith("bytes: every hash, signature and link holds.")

    def test_nothing_is_told_after_a_collection(self, desk):
        desk.store.age(timedelta(days=40))
        assert collecting.collect(desk, POLICY, "ann", None).deleted
        assert verify(desk, POLICY).findings == ()

    def test_an_empty_model_is_healthy(self, store, keyring):
        assert verify(Registry(store, keyring, "letters")).sentence == (
            "0 objects checked, 0 bytes: every hash, signature and link holds."
        )

    def test_nothing_is_changed(self, desk):
        before = desks.objects(desk.store)
        verify(desk, POLICY)
        assert desks.objects(desk.store) == before

    def test_large_artifacts_are_never_in_memory(self, store, keyring):
        desk = Registry(store, keyring, MODEL)
        desks.register(desk, VERSIONS[0], artifact=b"x" * (32 << 20))
        verify(desk)
        tracemalloc.start()
        verify(desk)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 12 << 20


class TestRemains:
    """What a crash left is told once it is too old to be in the making, and maintenance deletes it."""

    def left(self, desk: Registry, key: str, problem: str) -> None:
        desk.store.put(key, b"half")
        young = verify(desk, POLICY)
        assert (young.findings, young.unfinished) == ((), 1)
        assert young.sentence.endswith("1 objects are being written, or were left by a crash.")
        desk.store.age(OLD)
        assert only(desk) == Finding(key, REMAINS, problem, COLLECT)
        collecting.collect(desk, POLICY, "ann", None)
        assert found(desk) == ()

    def test_rows_without_a_manifest(self, desk):
        self.left(desk, keys.snapshot_rows(MODEL, toy.day(0), toy.day(0).end, "e" * 64), NO_MANIFEST)

    def test_labels_without_a_manifest(self, desk):
        self.left(desk, keys.label_rows(MODEL, toy.day(0), toy.day(0).end, "e" * 64), NO_MANIFEST)

    def test_a_version_without_a_manifest(self, desk):
        self.left(desk, keys.version(MODEL, "20240202-0000000000bb", "model.joblib"), NO_MANIFEST)

    def test_a_candidate_without_a_manifest(self, desk):
        self.left(desk, keys.candidate(MODEL, "20240202-0000000000bb", "model.joblib"), NO_MANIFEST)

    def test_a_page_of_data_docs_without_a_result(self, desk):
        self.left(desk, keys.data_docs_page(MODEL, toy.day(0), "e" * 64, "d" * 64), NO_MANIFEST)

    def test_a_hold(self, desk):
        self.left(desk, keys.hold(MODEL, "0123"), "A killed process left it.")

    def test_a_sweep(self, desk):
        self.left(desk, keys.sweep(MODEL, "0123"), "A killed process left it.")

    def test_a_hint_of_a_run_that_is_gone(self, desk):
        key = keys.run_hint(MODEL, "scheduled__gone")
        desk.store.put(key, b"{}")
        assert verify(desk, POLICY).unfinished == 1
        desk.store.age(OLD)
        assert only(desk) == Finding(key, REMAINS, "Its run is gone.", COLLECT)

    def test_what_a_killed_writer_left_in_a_folder(self, desk, tmp_path):
        key = f"{MODEL}/runs/{TEMPORARY}0123"
        (tmp_path / "store" / key).write_bytes(b"half")
        assert verify(desk, POLICY).unfinished == 1
        desk.store.age(OLD)
        assert only(desk) == Finding(key, REMAINS, "A killed process left it.", COLLECT)
        collecting.collect(desk, POLICY, "ann", None)
        assert not (tmp_path / "store" / key).exists()

    def test_a_group_whose_deletion_was_interrupted_is_told_by_the_record(self, desk):
        desk.store.age(timedelta(days=40))
        with pytest.raises(shelves.Killed):
            collecting.collect(Registry(shelves.Mortal(desk.store, 4), desk.keyring, MODEL), POLICY, "ann", None)
        checked = verify(desk, POLICY)
        assert checked.findings == ()
        assert checked.unfinished

    def test_it_is_no_damage(self, desk):
        desk.store.put(keys.hold(MODEL, "0123"), b"{}")
        desk.store.age(OLD)
        assert verify(desk, POLICY).damage == ()


class TestRows:
    @pytest.mark.parametrize("room", [keys.snapshots, keys.labels])
    @pytest.mark.parametrize(
        ("harm", "check"),
        [(desks.flip, "hash"), (lambda data: data[:-1], "size"), (lambda data: data + b"x", "size")],
        ids=["flipped", "cut", "grown"],
    )
    def test_bytes_that_are_not_those_that_were_frozen(self, desk, room, harm, check):
        key = first(desk, room(MODEL), ".parquet")
        change(desk, key, harm)
        finding = only(desk)
        assert (finding.key, finding.check) == (key, check)
        assert finding.repair.startswith(f"Restore {key} from a backup, or delete ")
        assert finding.repair.endswith("the next run pulls the interval again.")

    def test_rows_that_are_gone(self, desk):
        key = first(desk, keys.snapshots(MODEL), "rows.parquet")
        desk.store.delete(key)
        finding = only(desk)
        assert (finding.key, finding.check) == (key, "presence")
        assert f"Restore {key}" in finding.repair

    @pytest.mark.parametrize(
        ("harm", "check"),
        [(desks.unsigned, "signature"), (lambda _: b"{", "format"), (lambda _: b"[]", "format")],
        ids=["unsigned", "torn", "no object"],
    )
    def test_a_manifest_that_does_not_hold(self, desk, harm, check):
        key = first(desk, keys.snapshots(MODEL), "manifest.json")
        change(desk, key, harm)
        assert (only(desk).key, only(desk).check) == (key, check)

    def test_a_manifest_that_was_copied_there(self, desk):
        one, other = [found.key for found in desk.store.list(keys.labels(MODEL)) if found.key.endswith(".json")][:2]
        desk.store.put(one, desk.store.get(other))
        assert (only(desk).key, only(desk).check) == (one, "identity")

    def test_a_manifest_of_a_later_release(self, desk):
        key = first(desk, keys.snapshots(MODEL), "manifest.json")
        resigned(desk, key, "snapshot or labels", format_version=99)
        assert (only(desk).key, only(desk).check) == (key, "format")
        assert "format_version 99, this release reads 1 to" in only(desk).problem
        assert "the release that wrote it" in only(desk).problem


class TestValidations:
    def key(self, desk: Registry) -> str:
        return first(desk, keys.validations(MODEL))

    def test_a_result_that_was_altered(self, desk):
        change(desk, self.key(desk), lambda data: data.replace(b'"pass"', b'"fail"'))
        finding = only(desk)
        assert (finding.key, finding.check) == (self.key(desk), "hash")
        folder = self.key(desk).removesuffix("result.json")
        assert finding.repair == f"Delete {folder}: the next run that needs it validates again."

    def test_a_result_of_other_rows(self, desk):
        resealed(desk, self.key(desk), rows_sha256="9" * 64)
        assert (only(desk).check, only(desk).problem) == (
            "identity",
            "It is of other rows, or of another suite, than its key says.",
        )

    def test_a_result_of_a_later_release(self, desk):
        resealed(desk, self.key(desk), format_version=99)
        assert only(desk).check == "format"

    @pytest.mark.parametrize("field", ["rows_sha256", "suite_sha256"])
    @pytest.mark.parametrize("value", [None, 1])
    def test_a_sound_seal_around_something_incomplete_hides_nothing_else(self, desk, field, value):
        resealed(desk, self.key(desk), **{field: value})
        change(desk, f"{RUN}record-1.json", lambda data: data.replace(b"a", b"b", 1))
        told = {(one.key, one.check) for one in found(desk)}
        assert told == {(f"{RUN}record-1.json", "hash"), (self.key(desk), "format")}

    def test_a_result_without_its_page(self, desk):
        desk.store.delete(keys.data_docs_page(MODEL, toy.day(0), "c" * 64, "d" * 64))
        assert (only(desk).key, only(desk).check) == (self.key(desk), "presence")
        assert only(desk).problem == "Its page of Data Docs is gone."


class TestPredictions:
    @pytest.fixture
    def key(self, desk: Registry) -> str:
        """Store predictions and the correction that was in force, and return the key of the former."""
        interval, frame = toy.day(5), pd.DataFrame({"parcel": ["p"], "prediction": [0.5]})
        correction = Correction(CHAMPION, keys.stamp(interval.start), "a" * 64, {"shift": 1.0, "slope": 1.0})
        corrections.write(desk.store, desk.keyring, MODEL, interval, correction)
        key = keys.prediction_rows(MODEL, interval, CHAMPION, correction.digest)
        about = {"version": CHAMPION, "entry": 4, "snapshot_sha256": "5" * 64, "as_of": keys.stamp(interval.end)}
        predictions.write(desk.store, desk.keyring, key, frame, {**about, "unusable": 0})
        desk.store.age(OLD)
        return key

    def test_nothing_is_told_of_sound_ones(self, desk, key):
        assert found(desk) == ()

    @pytest.mark.parametrize(("harm", "check"), [(desks.flip, "hash"), (lambda data: data[:-1], "size")])
    def test_rows_that_are_not_those_that_were_written(self, desk, key, harm, check):
        change(desk, key, harm)
        assert (only(desk).key, only(desk).check) == (key, check)
        repair = "or delete it and its manifest: the interval is then scored again."
        assert only(desk).repair == f"Restore {key} from a backup, {repair}"

    def test_rows_that_are_gone(self, desk, key):
        desk.store.delete(key)
        assert (only(desk).key, only(desk).check) == (key, "presence")

    @pytest.mark.parametrize(("harm", "check"), [(desks.unsigned, "signature"), (lambda _: b"{", "format")])
    def test_a_manifest_that_does_not_hold(self, desk, key, harm, check):
        change(desk, keys.rows_manifest(key), harm)
        assert (only(desk).key, only(desk).check) == (keys.rows_manifest(key), check)

    def test_rows_without_a_manifest_are_what_a_crash_left(self, desk, key):
        desk.store.delete(keys.rows_manifest(key))
        assert only(desk) == Finding(key, REMAINS, NO_MANIFEST, COLLECT)

    def test_a_correction_that_does_not_hold(self, desk, key):
        correction = first(desk, keys.calibrations(MODEL))
        change(desk, correction, desks.unsigned)
        assert (only(desk).key, only(desk).check) == (correction, "signature")
        assert only(desk).repair.endswith("or delete it: scores are then made without a correction.")

    def test_a_correction_that_was_copied_there(self, desk, key):
        correction = first(desk, keys.calibrations(MODEL))
        desk.store.put(copied := keys.calibration(MODEL, toy.day(4), CHAMPION, "a" * 64), desk.store.get(correction))
        desk.store.age(OLD)
        assert (only(desk).key, only(desk).check) == (copied, "identity")


class TestRuns:
    REPAIR = "Without one delete it: an earlier record counts again, or the run is new."

    @pytest.mark.parametrize("name", ["inputs.json", "record-1.json", "record-2.json"])
    def test_an_altered_byte(self, desk, name):
        change(desk, f"{RUN}{name}", lambda data: data.replace(b"a", b"b", 1))
        finding = only(desk)
        assert (finding.key, finding.check) == (f"{RUN}{name}", "hash")
        assert finding.repair == f"Restore {RUN}{name} from a backup. {self.REPAIR}"

    @pytest.mark.parametrize("name", ["inputs.json", "record-2.json"])
    def test_a_later_release(self, desk, name):
        resealed(desk, f"{RUN}{name}", format_version=99)
        assert (only(desk).key, only(desk).check) == (f"{RUN}{name}", "format")

    @pytest.mark.parametrize("name", ["inputs.json", "record-2.json"])
    def test_a_sound_seal_around_nothing(self, desk, name):
        desk.store.put(f"{RUN}{name}", signing.seal({"format_version": 1}))
        assert (only(desk).key, only(desk).check) == (f"{RUN}{name}", "format")

    def test_inputs_of_another_run(self, desk):
        resealed(desk, f"{RUN}inputs.json", run="scheduled__other")
        assert (only(desk).key, only(desk).check) == (f"{RUN}inputs.json", "identity")

    def test_rows_that_a_run_is_pinned_to_and_nobody_deleted(self, desk):
        """Once, however many runs are pinned to them."""
        rows = first(desk, keys.snapshots(MODEL, toy.day(4)), "rows.parquet")
        pinned = [
            key
            for key in desks.objects(desk.store)
            if key.endswith("inputs.json") and rows in desk.store.get(key).decode()
        ]
        for key in (rows, keys.rows_manifest(rows)):
            desk.store.delete(key)
        finding = only(desk)
        assert (finding.key, finding.check) == (rows, "presence")
        assert any(finding.problem == f"It is gone, though {key} is pinned to it." for key in pinned)
        assert "trigger a new run of the interval" in finding.repair

    def test_a_run_that_was_never_pinned_is_told_by_its_record_alone(self, desk):
        records.write_section(desk.store, keys.run(MODEL, toy.day(9), "failed"), "report", {"answer": "failed"})
        assert found(desk) == ()


class TestCandidates:
    FOLDER = keys.candidate(MODEL, "20240201-0000000000aa")

    @pytest.mark.parametrize(
        ("name", "harm", "check"),
        [
            ("model.joblib", lambda data: data[:-1] + b"x", "hash"),
            ("model.joblib", lambda data: data[:-1], "size"),
            ("manifest.json", desks.unsigned, "signature"),
            ("manifest.json", lambda data: data.replace(b"aa", b"ab"), "signature"),
        ],
    )
    def test_bytes_that_do_not_hold(self, desk, name, harm, check):
        change(desk, f"{self.FOLDER}{name}", harm)
        assert only(desk) == Finding(
            f"{self.FOLDER}{name}",
            check,
            only(desk).problem,
            f"Delete {self.FOLDER}: a rerun trains the candidate again.",
        )

    def test_a_file_that_is_gone(self, desk):
        desk.store.delete(f"{self.FOLDER}smoke.json")
        assert (only(desk).key, only(desk).check) == (f"{self.FOLDER}smoke.json", "presence")

    def test_a_manifest_of_another_candidate(self, desk):
        shelves.candidate(desk, "20240201-0000000000bb")
        desk.store.put(
            f"{self.FOLDER}manifest.json",
            desk.store.get(keys.candidate(MODEL, "20240201-0000000000bb", "manifest.json")),
        )
        assert (only(desk).key, only(desk).check) == (f"{self.FOLDER}manifest.json", "identity")


class TestVersions:
    @pytest.mark.parametrize("name", ["model.joblib", "smoke.json"])
    @pytest.mark.parametrize(("harm", "check"), [(desks.flip, "hash"), (lambda data: data[:-1], "size")])
    def test_a_file_that_does_not_hold(self, desk, name, harm, check):
        key = keys.version(MODEL, SPARE, name)
        change(desk, key, harm)
        assert (only(desk).key, only(desk).check) == (key, check)
        folder = keys.version(MODEL, SPARE)
        repair = f"Without one delete {folder} and clear the run that made the version."
        assert only(desk).repair == f"Restore {key} from a backup. {repair}"

    def test_a_file_that_is_gone(self, desk):
        key = keys.version(MODEL, SPARE, "model.joblib")
        desk.store.delete(key)
        assert (only(desk).key, only(desk).check) == (key, "presence")

    def test_a_file_that_the_manifest_does_not_name(self, desk):
        key = keys.version(MODEL, SPARE, "notes.txt")
        desk.store.put(key, b"x")
        assert (only(desk).key, only(desk).check) == (key, UNKNOWN)
        assert only(desk).repair.startswith(f"Move {key} out of parcels/")

    def test_the_champion_is_rolled_back_first(self, desk):
        key = keys.version(MODEL, CHAMPION, "model.joblib")
        change(desk, key, desks.flip)
        assert only(desk).repair == (
            f"Run `python -m include.retraining rollback parcels --reason damaged`, then restore {key} from a backup."
        )

    def test_one_that_was_live_can_only_be_restored(self, desk):
        key = keys.version(MODEL, BEFORE, "model.joblib")
        change(desk, key, desks.flip)
        assert only(desk).repair == f"Restore {key} from a backup; until then nobody can roll back to this version."

    @pytest.mark.parametrize(("harm", "check"), [(desks.unsigned, "signature"), (desks.resigned, "signature")])
    def test_a_manifest_that_does_not_hold(self, desk, harm, check):
        key = keys.version(MODEL, SPARE, "manifest.json")
        change(desk, key, harm)
        assert (only(desk).key, only(desk).check) == (key, check)

    def test_rows_that_a_live_version_was_trained_on(self, desk):
        manifest = desk.manifest(CHAMPION)
        span, (digest, _) = next(iter(manifest["digests"].items()))
        desk.store.age(timedelta(days=40))
        for found_ in list(desk.store.list(keys.snapshots(MODEL, keys.parse_span(span)))):
            if digest[:12] in found_.key:
                desk.store.delete(found_.key)
        told = {finding.key: finding for finding in found(desk)}
        finding = told[keys.version(MODEL, CHAMPION, "manifest.json")]
        assert finding.check == "presence"
        assert f"{digest[:12]} of {span}" in finding.problem
        assert "nobody can make it again" in finding.repair


class TestLog:
    REPAIR = "from a backup; until then nothing is deleted, nor promoted if it is the newest."

    def key(self, number: int) -> str:
        return keys.promotion(MODEL, number)

    @pytest.mark.parametrize(
        ("harm", "check"), [(desks.unsigned, "signature"), (altered, "signature"), (lambda _: b"{", "format")]
    )
    def test_an_entry_that_does_not_hold(self, desk, harm, check):
        change(desk, self.key(1), harm)
        told = {one.key: one for one in found(desk)}
        assert (told[self.key(1)].check, set(told)) == (check, {self.key(1)})
        assert told[self.key(1)].repair == f"Restore {self.key(1)} {self.REPAIR}"

    def test_a_gap(self, desk):
        desk.store.delete(self.key(2))
        assert (only(desk).key, only(desk).check) == (self.key(2), "chain")
        assert only(desk).problem == "It is gone, though entry 3 was written; the log has no gaps."

    def test_a_log_that_was_cut(self, desk):
        desk.store.delete(self.key(4))
        told = {one.key: one for one in found(desk)}
        assert told[self.key(4)].check == "chain"
        assert told[self.key(4)].problem == "It is gone, though the champion's hint names it."
        assert told[self.key(4)].repair == f"Restore {self.key(4)} {self.REPAIR}"

    def test_an_entry_copied_to_another_number(self, desk):
        desk.store.put(self.key(3), desk.store.get(self.key(1)))
        assert (self.key(3), "identity") in {(one.key, one.check) for one in found(desk)}

    def test_an_entry_replaced_by_another_of_ours(self, desk):
        resigned(desk, self.key(2), ENTRY, reason="another")
        assert (only(desk).key, only(desk).check) == (self.key(3), "chain")
        assert only(desk).problem == "It does not continue entry 2: one of the two was replaced."

    def test_an_entry_of_a_later_release(self, desk):
        resigned(desk, self.key(4), ENTRY, format_version=99)
        assert (only(desk).key, only(desk).check) == (self.key(4), "format")

    def test_a_manifest_that_is_not_the_promoted_one(self, desk):
        key = keys.version(MODEL, CHAMPION, "manifest.json")
        resigned(desk, key, "version", asked_by="eve")
        assert (only(desk).key, only(desk).check) == (key, "chain")
        assert only(desk).problem == "It is not the manifest that entry 4 promoted."
        assert "rollback parcels" in only(desk).repair

    def test_a_version_that_went_live_and_is_gone(self, desk):
        for one in list(desk.store.list(keys.version(MODEL, VERSIONS[0]))):
            desk.store.delete(one.key)
        key = keys.version(MODEL, VERSIONS[0], "manifest.json")
        assert (only(desk).key, only(desk).check) == (key, "presence")
        assert only(desk).problem == "It is gone, though entry 1 made it the champion."

    def test_a_version_that_maintenance_deleted_though_the_spec_keeps_it(self, desk):
        """More live versions are asked for than were kept."""
        desk.store.age(timedelta(days=40))
        collecting.collect(desk, POLICY, "ann", None)
        told = verify(desk, replace(POLICY, live_versions=3)).findings
        (finding,) = told
        assert finding.key == keys.version(MODEL, VERSIONS[1], "manifest.json")
        assert finding.problem == "Maintenance deleted it, and by the spec the last 3 live versions are kept whole."
        assert "lower `retention.live_versions`" in finding.repair


class TestCaches:
    def test_a_champions_hint_that_does_not_hold(self, desk):
        key = keys.champion_hint(MODEL)
        change(desk, key, desks.unsigned)
        assert only(desk) == Finding(
            key, "signature", only(desk).problem, f"Delete {key}: it is a cache and is made again."
        )

    def test_a_champions_hint_that_is_behind_is_no_finding(self, desk):
        resigned(desk, keys.champion_hint(MODEL), HINT, number=1)
        assert found(desk) == ()

    def test_a_runs_hint_that_cannot_be_read(self, desk):
        key = keys.run_hint(MODEL, "scheduled__5")
        desk.store.put(key, b"{")
        assert (only(desk).key, only(desk).check) == (key, "format")


class TestCollections:
    def collected(self, desk: Registry) -> str:
        desk.store.age(timedelta(days=40))
        return str(collecting.collect(desk, POLICY, "ann", None).record)

    def test_a_record_that_was_altered(self, desk):
        key = self.collected(desk)
        change(desk, key, altered)
        told = {one.key: one for one in found(desk)}
        assert told[key].check == "signature"
        assert told[key].repair == f"Restore {key} from a backup; without it, what was deleted counts as lost."
        gone = keys.version(MODEL, VERSIONS[0], "manifest.json")
        assert told[gone].check == "presence", "nothing tells any more that it was deleted on purpose"

    def test_a_record_under_another_key(self, desk):
        other = keys.collection(MODEL, toy.START, "0" * 64)
        desk.store.put(other, desk.store.get(self.collected(desk)))
        assert (only(desk).key, only(desk).check) == (other, "identity")


class TestStrangers:
    @pytest.mark.parametrize("name", ["notes.txt", "models/latest.pkl", "versions/readme", "snapshots/2024/x.parquet"])
    def test_a_key_that_no_room_builds(self, desk, name):
        desk.store.put(f"{MODEL}/{name}", b"x")
        assert only(desk) == Finding(
            f"{MODEL}/{name}",
            UNKNOWN,
            "No object of this release has such a key.",
            f"Move {MODEL}/{name} out of {MODEL}/, or use the release that writes such objects.",
        )

    def test_a_key_with_braces(self, desk):
        desk.store.put(f"{MODEL}/{{key}}", b"x")
        assert only(desk).key == f"{MODEL}/{{key}}"


class TestMeanwhile:
    """Others write and delete while it looks: what was only passing is not told."""

    def test_a_byte_that_flips_on_its_way_is_read_once_more(self, desk):
        store = Flipping(desk.store)
        assert verify(Registry(store, desk.keyring, MODEL), POLICY).findings == ()
        assert store.flipped > 50

    def test_what_is_deleted_while_it_looks_is_not_missing(self, desk):
        desk.store.age(timedelta(days=40))
        collect = lambda: collecting.collect(desk, POLICY, "ann", None)  # noqa: E731
        store = Interrupted(desk.store, "list", f"{MODEL}/", collect, after=True)
        assert verify(Registry(store, desk.keyring, MODEL), POLICY).findings == ()
        assert store.has_acted

    @pytest.mark.parametrize("kind", ["versions", "runs"])
    def test_what_is_deleted_right_before_it_is_read_breaks_nothing_off(self, desk, kind):
        """At every read of a manifest or of a run's inputs: what stands is told of what lies there afterwards."""
        key = keys.version(MODEL, VERSIONS[0], "manifest.json") if kind == "versions" else f"{RUN}inputs.json"
        for read in (1, 2) if kind == "versions" else (1,):
            lost = Losing(desk.store, key, read)
            assert verify(Registry(lost, desk.keyring, MODEL), POLICY).damage
            assert lost.reads >= read

    def test_a_store_that_does_not_answer_is_no_finding(self, desk):
        def refuse() -> None:
            raise Unavailable("no answer")

        with pytest.raises(Unavailable):
            verify(Registry(Interrupted(desk.store, "get", f"{MODEL}/runs/", refuse), desk.keyring, MODEL), POLICY)


class Losing(shelves.Wrapped):
    """A store in which one object is gone from the n-th read of it on."""

    def __init__(self, store, key: str, read: int) -> None:
        super().__init__(store)
        self.key, self.read, self.reads = key, read, 0

    def get(self, key: str, *limit: int) -> bytes:
        self.reads += key == self.key
        if key == self.key and self.reads >= self.read:
            missing(key)
        return self.store.get(key, *limit)


class Flipping(shelves.Wrapped):
    """A store whose first answer about each object has a flipped byte."""

    def __init__(self, store) -> None:
        super().__init__(store)
        self.seen: set[str] = set()

    @property
    def flipped(self) -> int:
        return len(self.seen)

    def get(self, key: str, *limit: int) -> bytes:
        data = self.store.get(key, *limit)
        if key in self.seen or len(data) < 60:
            return data
        self.seen.add(key)
        return desks.flip(data)


def test_people_read_each_finding_with_its_repair_and_the_sum(desk):
    key = keys.promotion(MODEL, 2)
    desk.store.delete(key)
    assert describe(MODEL, verify(desk, POLICY)).splitlines() == [
        key,
        "  chain: It is gone, though entry 3 was written; the log has no gaps.",
        f"  Repair: Restore {key} from a backup; until then nothing is deleted, nor promoted if it is the newest.",
        f"parcels: {verify(desk, POLICY).sentence}",
    ]
    assert verify(desk, POLICY).sentence.endswith(": 1 findings.")
