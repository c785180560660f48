"""What a server for many people does and a small one cannot: users, real races, its own checks, and its odd answers."""

import collections
import contextlib
import json
import secrets
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from demo import ceph
from demo.processes import LOOPBACK
from include.retraining import connections, s3
from include.retraining.errors import CredentialsError, StoreUnsafe, Unavailable
from include.retraining.registry import Registry
from tests.retraining.desks import register
from tests.retraining.test_store import WRITERS, race

ROUNDS = 30
MANY = 1_050
ODD = [
    "em\N{EM DASH}dash",
    "\N{GRINNING FACE}",
    ".hidden",
    "t~t",
    "a:b",
    'q"uote',
    "<tag>&amp;",
    "back\\slash",
    "tab\tbed",
]
BUSY = {409, 412, 500}
"""What the losers of a race may be told: AWS says 412 or 409, a release of Ceph 500."""


@pytest.fixture
def raw(s3_settings) -> Any:
    """Return a client of the bucket without any of our care, which tries once."""
    return boto3.client(
        "s3",
        endpoint_url=s3_settings.extra["endpoint_url"],
        region_name=s3_settings.extra["region_name"],
        aws_access_key_id=s3_settings.login,
        aws_secret_access_key=s3_settings.password,
        config=Config(retries={"total_max_attempts": 1}, request_checksum_calculation="when_required"),
    )


@pytest.fixture
def bucket(s3_settings) -> str:
    return s3_settings.extra["bucket"]


def status(error: ClientError) -> int:
    return error.response["ResponseMetadata"]["HTTPStatusCode"]


def test_ceph_listens_on_loopback_only(node):
    listening = [each for one in node.daemons() for each in one.net_connections("inet") if each.status == "LISTEN"]
    assert len(node.daemons()) == 3
    assert {each.laddr.ip for each in listening} == {LOOPBACK}


def test_whom_the_bucket_does_not_belong_to_is_refused(any_store, s3_settings, stranger):
    """A user of the same server whom nobody let in, and one who has the owner's name only."""
    any_store.put("m/a", b"ours")
    other = {"login": stranger.login, "password": stranger.password}
    for wrong, code in ((other, "AccessDenied"), ({"password": secrets.token_hex(20)}, "SignatureDoesNotMatch")):
        outside = s3.open_s3(replace(s3_settings, **wrong))
        for touch in (
            outside.get,
            outside.delete,
            lambda key, outside=outside: outside.put(key, b"theirs"),
            lambda key, outside=outside: outside.put_if_absent(f"{key}/new", b"theirs"),
            lambda key, outside=outside: list(outside.list(key)),
        ):
            with pytest.raises(CredentialsError, match=rf"refused the credentials \({code}\)"):
                touch("m/a")
    assert [(found.key, any_store.get(found.key)) for found in any_store.list("")] == [("m/a", b"ours")]


def test_whoever_does_not_sign_is_refused(any_store, s3_settings, bucket):
    any_store.put("m/a", b"ours")
    address = f"{s3_settings.extra['endpoint_url']}/{bucket}"
    asked = [("GET", "/m/a"), ("HEAD", "/m/a"), ("PUT", "/m/a"), ("DELETE", "/m/a"), ("GET", "?list-type=2")]
    for method, path in asked:
        body = b"theirs" if method == "PUT" else None
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(urllib.request.Request(address + path, body, method=method), timeout=10)
        refused.value.close()
        assert refused.value.code == 403, (method, path)
    assert any_store.get("m/a") == b"ours"


def test_of_racing_conditional_puts_the_server_grants_one(raw, bucket):
    """The primitive itself. Whatever else a loser is told, it is never told that it won."""
    told = collections.Counter()
    for number in range(ROUNDS):
        barrier, key = Barrier(WRITERS), f"log/{number}"

        def write(writer: int, barrier: Barrier = barrier, key: str = key) -> int:
            barrier.wait()
            try:
                raw.put_object(Bucket=bucket, Key=key, Body=b"%d" % writer, IfNoneMatch="*")
            except ClientError as error:
                return status(error)
            return 200

        with ThreadPoolExecutor(WRITERS) as writers:
            answers = list(writers.map(write, range(WRITERS)))
        assert answers.count(200) == 1, answers
        assert raw.get_object(Bucket=bucket, Key=key)["Body"].read() == b"%d" % answers.index(200)
        told.update(answers)
    assert set(told) - {200} <= BUSY, told


def test_every_loser_learns_that_it_lost(any_store):
    for number in range(ROUNDS):
        key = f"m/log/{number}"
        won = race(any_store, key)
        assert won.count(True) == 1, won
        assert any_store.get(key) == f"writer {won.index(True)}".encode()


def test_bytes_that_changed_on_their_way_are_refused(raw, bucket):
    with pytest.raises(ClientError, match="BadDigest") as refused:
        raw.put_object(Bucket=bucket, Key="m/a", Body=b"altered", ContentMD5="XrY7u+Ae7tCTyyK7j1rNww==")
    assert status(refused.value) == 400
    assert "Contents" not in raw.list_objects_v2(Bucket=bucket)


def test_more_than_a_page_is_listed_in_key_order(any_store):
    names = [f"m/{number:05d}" for number in range(MANY)]
    with ThreadPoolExecutor(WRITERS) as writers:
        list(writers.map(lambda name: any_store.put(name, b"x"), names))
    assert [found.key for found in any_store.list("m/")] == names
    assert [found.key for found in any_store.list("m/010")] == names[1000:]


def test_more_odd_keys_are_only_keys(any_store):
    for key in ODD:
        assert any_store.put_if_absent(f"m/{key}", key.encode())
        assert any_store.get(f"m/{key}") == key.encode()
        assert not any_store.put_if_absent(f"m/{key}", b"other")
    assert [found.key for found in any_store.list("m/")] == sorted((f"m/{key}" for key in ODD), key=str.encode)


def test_a_bucket_whose_conditions_do_not_count_gets_no_version(raw, bucket, any_store, keyring):
    """Ceph 16 ignores the condition where a bucket keeps old objects; later releases heed it."""
    raw.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    raw.put_object(Bucket=bucket, Key="probe", Body=b"1")
    desk = Registry(any_store, keyring, "parcels")
    with contextlib.suppress(ClientError):
        raw.put_object(Bucket=bucket, Key="probe", Body=b"2", IfNoneMatch="*")
    is_heeded = raw.get_object(Bucket=bucket, Key="probe")["Body"].read() == b"1"
    refused = pytest.raises(StoreUnsafe, match="accepts If-None-Match and overwrites")
    with contextlib.nullcontext() if is_heeded else refused:
        register(desk, "20240201-000000000001")
    assert bool(desk.versions()) == is_heeded


def test_what_a_policy_forbids_its_owner_is_told(raw, bucket, any_store):
    """A log that nobody may delete from: the right of a server, and an error that says so."""
    any_store.put("m/log/1", b"kept")
    denied = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:DeleteObject",
        "Resource": f"arn:aws:s3:::{bucket}/m/log/*",
    }
    raw.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [denied]}))
    with pytest.raises(CredentialsError, match="AccessDenied"):
        any_store.delete("m/log/1")
    assert any_store.get("m/log/1") == b"kept"


def test_what_is_written_under_a_key_lies_encrypted(raw, bucket, s3_settings):
    encrypted = s3.open_s3(with_encryption(s3_settings, "sse-kms", kms_key_id=ceph.KMS_KEY_ID))
    assert encrypted.put_if_absent("m/log/1", b"first")
    assert encrypted.put_if_absent("m/log/1", b"first"), "the same bytes: a try whose answer was lost"
    assert not encrypted.put_if_absent("m/log/1", b"second")
    encrypted.put("m/hint", b"1")
    assert (encrypted.get("m/log/1"), encrypted.get("m/hint")) == (b"first", b"1")
    for key in ("m/log/1", "m/hint"):
        assert raw.head_object(Bucket=bucket, Key=key)["ServerSideEncryption"] == "aws:kms"


def test_encryption_that_the_server_does_not_do_is_told_before_anything_is_written(s3_settings, any_store):
    """Ceph 16 takes the header and stores plain bytes; later releases refuse it unless a vault is there."""
    plain = s3.open_s3(with_encryption(s3_settings, "sse-s3"))
    for write in (plain.put, plain.put_if_absent):
        with pytest.raises((StoreUnsafe, Unavailable)):
            write("m/a", b"secret")
    assert list(any_store.list("")) == []


def with_encryption(settings: connections.Settings, mode: str, **extra: str) -> connections.Settings:
    return replace(settings, extra={**settings.extra, "encryption": mode, **extra})
