"""Encryption is asked for with every write, and every write is confirmed or refused."""

import re
from dataclasses import replace

import pytest

from demo import services
from include.retraining import connections, encryption, keys, s3
from include.retraining.encryption import Encryption
from include.retraining.errors import ConnectionInvalid, StoreUnsafe
from include.retraining.registry import Registry
from tests.conftest import connection_env
from tests.retraining.desks import objects, register
from tests.retraining.proxy import in_turn, once, silent_about, without

HEADER, KEY_HEADER = "x-amz-server-side-encryption", "x-amz-server-side-encryption-aws-kms-key-id"
SSE_S3 = {"encryption": "sse-s3"}
SSE_KMS = {"encryption": "sse-kms", "kms_key_id": "key-1"}
ASKED = [SSE_S3, SSE_KMS]
ARN = "arn:aws:kms:eu-west-1:123456789012:key/key-1"
DENIED = "without the encryption that Connection `store` asks for"


@pytest.mark.parametrize(
    ("extra", "asked"),
    [
        ({}, {}),
        ({"encryption": "none"}, {}),
        (SSE_S3, {"ServerSideEncryption": "AES256"}),
        (SSE_KMS, {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "key-1"}),
        ({**SSE_KMS, "kms_key_id": ARN}, {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": ARN}),
    ],
)
def test_what_the_extra_asks_for_is_sent_with_every_write(extra, asked):
    assert encryption.from_extra(extra).asked() == asked


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ({"encryption": "aes256"}, "encryption 'aes256'; expected none, sse-s3 or sse-kms in its extra"),
        ({"encryption": ""}, "encryption ''; expected none"),
        ({"encryption": None}, "encryption 'None'; expected none"),
        ({"encryption": True}, "encryption 'True'; expected none"),
        ({"encryption": "SSE-S3"}, "encryption 'SSE-S3'; expected none"),
        ({"encryption": "sse-kms"}, "kms_key_id ''; sse-kms needs the id of a key"),
        ({"encryption": "sse-kms", "kms_key_id": ""}, "sse-kms needs the id of a key"),
        ({"encryption": "sse-kms", "kms_key_id": None}, "sse-kms needs the id of a key"),
        ({**SSE_S3, "kms_key_id": "key-1"}, "'sse-s3' and kms_key_id 'key-1'; .* the other modes take none"),
        ({"kms_key_id": "key-1"}, "'none' and kms_key_id 'key-1'"),
        ({**SSE_KMS, "kms_key_id": " key-1"}, "expected a key's id or ARN, without spaces and no alias"),
        ({**SSE_KMS, "kms_key_id": "alias/models"}, "no alias: servers confirm the key, not the alias"),
        ({**SSE_KMS, "kms_key_id": ARN.replace("key/", "alias/")}, "no alias"),
    ],
)
def test_an_extra_that_says_nothing_clear_is_refused(extra, message):
    with pytest.raises(ConnectionInvalid, match=f"Connection `store` .*{message}"):
        encryption.from_extra(extra)


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        (Encryption(), {}),
        (Encryption(), {"ServerSideEncryption": "AES256"}),
        (Encryption("sse-s3"), {"ServerSideEncryption": "AES256", "ETag": "e"}),
        (Encryption("sse-kms", "key-1"), {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "key-1"}),
        (Encryption("sse-kms", "key-1"), {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": ARN}),
        (Encryption("sse-kms", ARN), {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": ARN}),
    ],
)
def test_an_answer_that_names_what_was_asked_confirms(asked, answer):
    asked.confirm(answer, "m/a")


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        (Encryption("sse-s3"), {}),
        (Encryption("sse-s3"), {"ServerSideEncryption": None}),
        (Encryption("sse-s3"), {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "key-1"}),
        (Encryption("sse-kms", "key-1"), {"ServerSideEncryption": "AES256", "SSEKMSKeyId": "key-1"}),
        (Encryption("sse-kms", "key-1"), {"SSEKMSKeyId": "key-1"}),
        (Encryption("sse-kms", "key-1"), {"ServerSideEncryption": "aws:kms"}),
        (Encryption("sse-kms", "key-1"), {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "key-2"}),
        (Encryption("sse-kms", "key-1"), {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "my-key-1"}),
        (Encryption("sse-kms", ARN), {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "key-1"}),
    ],
)
def test_any_other_answer_confirms_nothing(asked, answer):
    with pytest.raises(StoreUnsafe, match=f"m/a was written {DENIED}: expected .*, the server confirmed .*Mend the"):
        asked.confirm(answer, "m/a")


def test_a_folder_gives_no_encryption_and_says_so(monkeypatch, tmp_path):
    folder = connections.Settings("store", "fs", extra={"path": str(tmp_path), **SSE_S3})
    monkeypatch.setenv("AIRFLOW_CONN_STORE", connection_env(folder))
    with pytest.raises(ConnectionInvalid, match="asks for encryption 'sse-s3', which a folder does not give"):
        connections.open_store()


def opened(settings: connections.Settings, extra: dict[str, str]) -> s3.S3Store:
    return s3.open_s3(replace(settings, extra={**settings.extra, **extra}))


def lies_encrypted(store: s3.S3Store, key: str, extra: dict[str, str]) -> bool:
    """Return whether the server itself says that an object lies there as asked."""
    found = store._client.head_object(Bucket=store._bucket, Key=key)
    asked = encryption.from_extra(extra).asked()
    return {name: found.get(name) for name in ("ServerSideEncryption", "SSEKMSKeyId") if name in found} == asked


@pytest.mark.door
@pytest.mark.parametrize("extra", [{}, *ASKED], ids=["none", "sse-s3", "sse-kms"])
def test_every_way_of_writing_is_encrypted_as_asked(lying, tmp_path, extra):
    """Bytes and files, overwritten or kept, answered or settled by reading back."""
    store = opened(lying.settings, extra)
    (tmp_path / "file").write_bytes(b"f" * (2 << 20))
    store.put("m/put", b"x")
    store.put("m/put", b"y")
    for name, data in (("bytes", b"x"), ("file", tmp_path / "file")):
        for order in (None, "swallow", "late 500", 503, "twice"):
            lying.server.fault = once(order)
            assert store.put_if_absent(f"m/{name}/{order}", data)
    lying.server.fault = lambda _: None
    written = [found.key for found in store.list("")]
    assert len(written) == 11, "no probe is left"
    assert all(lies_encrypted(store, key, extra) for key in written)


@pytest.mark.door
@pytest.mark.parametrize("extra", ASKED, ids=["sse-s3", "sse-kms"])
@pytest.mark.parametrize("fault", ["does not confirm", "never learns"])
def test_a_server_that_does_not_confirm_gets_nothing_but_a_probe(lying, keyring, extra, fault):
    """It may have been told and say nothing, or a proxy may have taken the request out."""
    written = []

    def forgetting(request):
        if request.command == "PUT":
            written.append(request.path.split("?")[0].split("/", 2)[2])
        return silent_about(HEADER, KEY_HEADER) if fault == "does not confirm" else without(HEADER, KEY_HEADER)(request)

    lying.server.fault = forgetting
    store = opened(lying.settings, extra)
    for write in (store.put, store.put_if_absent):
        with pytest.raises(StoreUnsafe, match=f"{keys.probe('')}[0-9a-f]+ was written {DENIED}"):
            write("m/a", b"secret")
    with pytest.raises(StoreUnsafe, match=DENIED):
        register(Registry(store, keyring, "parcels"), "20240201-000000000001")
    assert len(written) >= 3
    assert all(key.startswith(keys.probe("")) for key in written)
    assert objects(store) == {}


@pytest.mark.door
def test_a_server_that_confirms_another_key_gets_nothing_but_a_probe(lying):
    lying.server.fault = lambda _: lambda answer: (answer[0], {**answer[1], KEY_HEADER: "somebody-elses"}, answer[2])
    store = opened(lying.settings, SSE_KMS)
    with pytest.raises(StoreUnsafe, match=r"the server confirmed .*'SSEKMSKeyId': 'somebody-elses'"):
        store.put("m/a", b"secret")
    assert objects(store) == {}


@pytest.mark.door
@pytest.mark.parametrize("kind", ["put", "put_if_absent", "file"])
def test_a_server_that_stops_confirming_is_refused_at_that_write_by_name(lying, tmp_path, kind):
    store = opened(lying.settings, SSE_S3)
    store.put("m/before", b"x")
    (tmp_path / "file").write_bytes(b"x")
    write = {"put": store.put, "put_if_absent": store.put_if_absent, "file": store.put_if_absent}[kind]
    lying.server.fault = lambda _: silent_about(HEADER)
    with pytest.raises(StoreUnsafe, match=rf"m/late was written {DENIED}: .*then remove that object"):
        write("m/late", tmp_path / "file" if kind == "file" else b"x")
    lying.server.fault = lambda _: None
    store.put("m/after", b"x")


@pytest.mark.door
@pytest.mark.parametrize("kind", ["bytes", "file"])
@pytest.mark.parametrize("is_removed", [True, False], ids=["removed", "removal refused"])
def test_what_was_refused_once_is_not_found_done_by_the_next_try(lying, tmp_path, kind, is_removed):
    """A proxy takes the request for encryption out of one write, and perhaps the deletion does not get through."""
    store, again = opened(lying.settings, SSE_S3), opened(lying.settings, SSE_S3)
    for one in (store, again):
        one.put("m/before", b"x")
    (tmp_path / "file").write_bytes(b"secret")
    data = tmp_path / "file" if kind == "file" else b"secret"
    strip = without(HEADER)
    lying.server.fault = lambda request: strip(request) or (503 if request.command == "DELETE" else None)
    if is_removed:
        lying.server.fault = strip
    with pytest.raises(StoreUnsafe, match=rf"m/a was written {DENIED}"):
        store.put_if_absent("m/a", data)
    lying.server.fault = lambda _: None
    if is_removed:
        assert again.put_if_absent("m/a", data)
        assert lies_encrypted(again, "m/a", SSE_S3)
        return
    with pytest.raises(StoreUnsafe, match=rf"m/a was written {DENIED}: .*then remove that object"):
        again.put_if_absent("m/a", data)
    again.delete("m/a")
    assert again.put_if_absent("m/a", data)


@pytest.mark.door
def test_bytes_that_lie_there_by_another_hand_are_never_removed(lying):
    """Only what a write has just made goes with it."""
    s3.open_s3(lying.settings).put_if_absent("m/a", b"x")
    store = opened(lying.settings, SSE_S3)
    store.put("m/before", b"x")
    lying.server.fault = in_turn([503], others=without(HEADER))
    with pytest.raises(StoreUnsafe):
        store.put_if_absent("m/a", b"x")
    lying.server.fault = lambda _: None
    assert store.get("m/a") == b"x"


@pytest.mark.door
@pytest.mark.parametrize("first_look", [None, (404, "NoSuchKey")], ids=["seen at once", "seen at the second attempt"])
def test_a_write_that_is_settled_by_reading_back_is_confirmed_by_what_lies_there(lying, first_look):
    """Its answer is lost, and it was applied without encryption."""
    store = opened(lying.settings, SSE_S3)
    store.put("m/before", b"x")
    reads = in_turn([first_look], "GET") if first_look else (lambda _: None)
    strip, writes = without(HEADER), in_turn(["swallow"])
    lying.server.fault = lambda request: strip(request) or writes(request) or reads(request)
    with pytest.raises(StoreUnsafe, match=rf"m/a was written {DENIED}"):
        store.put_if_absent("m/a", b"x")


@pytest.mark.door
def test_what_lay_there_before_encryption_was_asked_for_is_still_known_again(lying):
    """A rerun writes the same bytes; what an earlier installation wrote is no reason to stop it."""
    s3.open_s3(lying.settings).put_if_absent("m/a", b"x")
    assert opened(lying.settings, SSE_S3).put_if_absent("m/a", b"x")


@pytest.mark.door
def test_a_probe_whose_answer_is_lost_is_removed_all_the_same(lying):
    store = opened(lying.settings, SSE_S3)
    lying.server.fault = lambda request: "late 500" if request.command == "PUT" else None
    with pytest.raises(Exception, match=rf"{re.escape(keys.probe(''))}\w+: no answer from bucket"):
        store.put("m/a", b"x")
    assert objects(s3.open_s3(lying.settings)) == {}


@pytest.mark.door
def test_a_mode_that_a_server_does_not_know_is_told(lying):
    lying.server.fault = lambda request: (400, "InvalidArgument") if request.command == "PUT" else None
    with pytest.raises(StoreUnsafe, match=r"does not do what it is asked .*Mend `encryption` in the extra"):
        opened(lying.settings, SSE_S3).put("m/a", b"x")


@pytest.mark.door
def test_the_demos_server_confirms_through_its_door(tmp_path):
    with services.s3_server(tmp_path) as server:
        found = server.connection()
        who = {name: found[name] for name in ("login", "password", "extra")}
        settings = connections.Settings("store", "aws", **who)
        for extra in ASKED:
            store = opened(settings, extra)
            store.put("m/a", b"x")
            assert lies_encrypted(store, "m/a", extra)
