"""Snapshots and labels: the same rows make the same object, and nothing but what was written is ever read."""

import io
import json
from dataclasses import replace
from datetime import timedelta

import pandas as pd
import pytest

from include.retraining import keys, labelling, privacy, signing, snapshots
from include.retraining.errors import DataError, IntegrityError, ObjectMissing
from include.retraining.registry import Registry
from tests.retraining import toy
from tests.retraining.desks import objects, promoted

SPEC, DAY = toy.spec(), toy.day(0)
AS_OF = DAY.end + toy.DAY
PREFIX = keys.snapshots("parcels", DAY)


@pytest.fixture
def frozen(store, keyring):
    """Return the snapshot of one day, frozen in a folder."""
    return snapshots.freeze_snapshot(store, keyring, SPEC, DAY, AS_OF, toy.rows())


@pytest.fixture
def labels(store, keyring):
    """Return the labels of one day, frozen in a folder."""
    return snapshots.freeze_labels(store, keyring, SPEC, DAY, AS_OF, toy.rows())


def test_rows_are_a_frame_up_to_so_many_and_a_file_above(store, keyring):
    frozen = snapshots.freeze_snapshot(store, keyring, SPEC, toy.day(0), AS_OF, toy.rows())
    whole = toy.rows()[list(SPEC.stored)]
    with snapshots.opened(store, frozen, toy.ROWS) as rows:
        pd.testing.assert_frame_equal(rows, whole)
    with snapshots.opened(store, frozen, toy.ROWS - 1) as rows:
        pd.testing.assert_frame_equal(pd.concat(rows.parts()), whole)
    assert not rows.path.exists(), "the copy is gone"


def test_a_file_that_is_no_snapshot_is_refused_before_a_row_is_read(store, keyring):
    frozen = snapshots.freeze_snapshot(store, keyring, SPEC, toy.day(0), AS_OF, toy.rows())
    noise = b"noise"
    for data, told in ((noise, frozen), (noise, replace(frozen, sha256=signing.sha256(noise), size_bytes=len(noise)))):
        store.put(frozen.key, data)
        with pytest.raises(IntegrityError, match="Restore"), snapshots.opened(store, told, 1):
            pytest.fail("it was opened")


def test_a_snapshot_reads_back_without_its_labels(store, frozen):
    pd.testing.assert_frame_equal(snapshots.read(store, frozen), toy.rows()[list(SPEC.stored)])
    assert (frozen.rows, frozen.completeness) == (toy.ROWS, 1.0)


def test_the_same_rows_make_the_same_object(store, keyring, frozen):
    again = snapshots.freeze_snapshot(store, keyring, SPEC, DAY, AS_OF, toy.rows().set_axis(range(7, 67)))
    assert again == frozen
    assert len(list(store.list(PREFIX))) == 2


@pytest.mark.parametrize(("later", "rows"), [(toy.DAY, toy.rows()), (timedelta(0), toy.rows(seed=1))])
def test_corrections_lie_beside_what_they_correct(store, keyring, frozen, later, rows):
    other = snapshots.freeze_snapshot(store, keyring, SPEC, DAY, AS_OF + later, rows)
    assert other.key != frozen.key
    assert snapshots.read(store, frozen).equals(toy.rows()[list(SPEC.stored)])


def test_columns_are_stored_in_the_specs_order_however_they_came(store, keyring, frozen):
    turned = toy.rows()[list(reversed(toy.rows().columns))]
    assert snapshots.freeze_snapshot(store, keyring, SPEC, DAY, AS_OF, turned) == frozen


def test_no_private_value_is_in_any_byte_that_is_stored(store, keyring):
    view = privacy.private_view(toy.rows(), SPEC, "secret")
    snapshots.freeze_snapshot(store, keyring, SPEC, DAY, AS_OF, view)
    snapshots.freeze_labels(store, keyring, SPEC, DAY, AS_OF, view)
    for found in store.list(""):
        data = store.get(found.key)
        cells = pd.read_parquet(io.BytesIO(data)).to_csv() if found.key.endswith("parquet") else ""
        assert b"household" not in data
        assert "household" not in cells


@pytest.mark.parametrize(("asked", "found"), [(-1, None), (0, 0), (1, 0), (86400, 1), (10**7, 1)])
def test_the_newest_is_the_latest_known_by_the_as_of(store, keyring, asked, found):
    made = [
        snapshots.freeze_snapshot(store, keyring, SPEC, DAY, AS_OF + number * toy.DAY, toy.rows(seed=number))
        for number in (0, 1)
    ]
    newest = snapshots.newest(store, keyring, PREFIX, AS_OF + timedelta(seconds=asked))
    assert newest == (None if found is None else made[found])


def test_rows_without_a_manifest_do_not_exist(store, keyring, frozen):
    """A writer that was killed before its last write leaves nothing that anybody reads."""
    store.delete(keys.rows_manifest(frozen.key))
    assert snapshots.newest(store, keyring, PREFIX, AS_OF) is None


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: data[:-1], "bytes, its manifest says"),
        (lambda data: data[:100] + bytes([data[100] ^ 1]) + data[101:], "the sha256 is .*, its manifest says"),
        (lambda data: b"", "has 0 bytes, its manifest says"),
    ],
    ids=["truncated", "flipped", "empty"],
)
def test_damaged_rows_are_found_by_their_hash_before_use(store, frozen, damage, message):
    store.put(frozen.key, damage(store.get(frozen.key)))
    with pytest.raises(IntegrityError, match=f"{frozen.key}.*{message}"):
        snapshots.read(store, frozen)


def test_rows_that_are_gone_are_told(store, frozen):
    store.delete(frozen.key)
    with pytest.raises(ObjectMissing, match=f"There is no object {frozen.key}"):
        snapshots.read(store, frozen)


def test_rows_that_are_no_parquet_are_told(store, frozen):
    data = b"<html>Service unavailable</html>"
    store.put(frozen.key, data)
    other = replace(frozen, sha256=signing.sha256(data), size_bytes=len(data))
    with pytest.raises(IntegrityError, match=r"is not Parquet: .* Restore the original"):
        snapshots.read(store, other)


def altered(data: bytes) -> bytes:
    return json.dumps(json.loads(data) | {"rows": 1}).encode()


def unsigned(data: bytes) -> bytes:
    return json.dumps({name: value for name, value in json.loads(data).items() if name != "signature"}).encode()


@pytest.mark.parametrize(
    ("damage", "message"),
    [(altered, "the signature does not match"), (unsigned, "is not signed"), (lambda data: data[:-9], "is not JSON")],
    ids=["altered", "unsigned", "torn"],
)
def test_a_damaged_manifest_is_refused(store, keyring, frozen, damage, message):
    desk, key = Registry(store, keyring, "parcels"), keys.rows_manifest(frozen.key)
    promoted(desk, 1)
    store.put(key, damage(store.get(key)))
    before, head = objects(store), desk.head()
    with pytest.raises(IntegrityError, match=f"{key}.*{message}"):
        snapshots.newest(store, keyring, PREFIX, AS_OF)
    assert (objects(store), desk.head()) == (before, head)


@pytest.mark.parametrize("place", [(DAY, AS_OF + toy.DAY), (toy.day(1), AS_OF)], ids=["later as-of", "other day"])
def test_a_manifest_that_was_copied_elsewhere_is_refused(store, keyring, frozen, place):
    copy = keys.rows_manifest(keys.snapshot_rows("parcels", *place, frozen.sha256))
    store.put(copy, store.get(keys.rows_manifest(frozen.key)))
    with pytest.raises(IntegrityError, match=f"{copy} describes {frozen.key}: it was copied there"):
        snapshots.newest(store, keyring, keys.snapshots("parcels", place[0]), AS_OF + 9 * toy.DAY)


def test_other_bytes_under_the_name_of_the_rows_are_refused(store, keyring, frozen):
    store.put(frozen.key, b"other")
    with pytest.raises(IntegrityError, match=r"holds other bytes than its name says\. Remove it"):
        snapshots.freeze_snapshot(store, keyring, SPEC, DAY, AS_OF, toy.rows())


def test_a_manifest_of_a_retired_key_stays_as_it_is(store, keyring, frozen):
    rotated = signing.Keyring("key-2", {**keyring.secrets, "key-2": "n" * 40})
    assert snapshots.freeze_snapshot(store, rotated, SPEC, DAY, AS_OF, toy.rows()) == frozen
    assert snapshots.newest(store, rotated, PREFIX, AS_OF) == frozen


NAN = float("nan")
STATUS = [  # label and void as the query gives them: status, label as stored
    (1.0, 0.0, "known", 1.0),
    (0.0, 0.0, "known", 0.0),
    (NAN, 1.0, "void", NAN),
    (1.0, 1.0, "void", NAN),
    (NAN, 0.0, "unknown", NAN),
    (NAN, NAN, "unknown", NAN),
]


@pytest.mark.parametrize(("label", "void", "status", "stored"), STATUS)
def test_a_label_is_known_void_or_unknown(label, void, status, stored):
    found = labelling.label_frame(toy.rows(count=1).assign(late=label, void=void), SPEC)
    assert found["status"].tolist() == [status]
    assert found["late"].tolist() == pytest.approx([stored], nan_ok=True)
    assert list(found.columns) == ["parcel", "late", "status"]


def test_completeness_counts_void_labels_as_answers():
    labels = labelling.label_frame(toy.rows(count=4).assign(late=[1, NAN, NAN, 0], void=[0, 1, 0, 0]), SPEC)
    assert labelling.completeness(labels) == 0.75
    assert labelling.completeness(labels.iloc[:0]) == 1.0


def test_labels_join_by_key_and_only_known_ones_teach(store, frozen, labels):
    known = snapshots.read(store, labels).iloc[::-1]
    known.loc[known.index < 10, "status"] = labelling.VOID
    joined = labelling.labelled(snapshots.read(store, frozen), known, SPEC)
    expected = toy.rows()[10:]
    assert joined["parcel"].tolist() == expected["parcel"].tolist()
    assert joined["late"].tolist() == expected["late"].tolist()


@pytest.mark.parametrize("side", ["rows", "labels"])
def test_doubled_keys_are_refused_with_their_number(side):
    rows, known = toy.rows(count=5), labelling.label_frame(toy.rows(count=5), SPEC)
    if side == "rows":
        rows, expected = pd.concat([rows, rows[:2]]), "2 rows and 0 labels"
    else:
        known, expected = pd.concat([known, known[:3]]), "0 rows and 3 labels"
    with pytest.raises(DataError, match=rf"{expected} of parcels have the key \(parcel\) of another. Mend the query"):
        labelling.labelled(rows[list(SPEC.stored)], known, SPEC)


def test_an_empty_interval_freezes_and_reads_back(store, keyring):
    empty = snapshots.freeze_snapshot(store, keyring, SPEC, DAY, AS_OF, toy.rows().iloc[:0])
    assert snapshots.read(store, empty).columns.tolist() == list(SPEC.stored)
    assert empty.rows == 0


def test_many_are_read_in_order(store, keyring):
    made = [snapshots.freeze_snapshot(store, keyring, SPEC, toy.day(n), AS_OF, toy.rows(n, 5)) for n in range(9)]
    found = snapshots.read_many(store, made)
    assert [rows["parcel"].iloc[0] for rows in found] == [f"p{number:03d}-0000" for number in range(9)]


def test_a_refresh_supersedes_what_was_frozen_at_the_same_as_of(store, keyring):
    """Whatever the digests: of equal as-ofs the object that was frozen last is the newest."""
    interval, as_of = toy.day(0), toy.day(1).end
    frames = [toy.rows().assign(distance=float(number)) for number in range(6)]
    for number, frame in enumerate(frames):
        frozen = snapshots.freeze_snapshot(store, keyring, SPEC, interval, as_of, frame)
        assert frozen.sequence == number
        assert snapshots.newest(store, keyring, keys.snapshots(SPEC.name, interval), as_of) == frozen


def test_what_somebody_left_beside_a_snapshot_is_none(store, keyring):
    frozen = snapshots.freeze_snapshot(store, keyring, SPEC, DAY, AS_OF, toy.rows())
    for name in (".DS_Store", ".hidden.json", "00000000T000000Z.json"):
        store.put(f"{PREFIX}{name}", b"x")
    assert snapshots.newest(store, keyring, PREFIX, AS_OF) == frozen
    assert snapshots.newest(store, keyring, PREFIX, AS_OF - toy.DAY) is None
    assert snapshots.find(store, keyring, PREFIX, frozen.sha256) == frozen


def test_no_more_rows_are_read_than_their_manifest_says(store, keyring):
    frozen = snapshots.freeze_snapshot(store, keyring, SPEC, DAY, AS_OF, toy.rows())
    assert len(snapshots.read(store, frozen)) == toy.ROWS
    with pytest.raises(IntegrityError, match=f"has more than the {frozen.size_bytes - 1} bytes") as caught:
        snapshots.read(store, replace(frozen, size_bytes=frozen.size_bytes - 1))
    assert caught.value.check == "size"
