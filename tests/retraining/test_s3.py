"""The S3 door when the network or the server misbehaves: the truth is read back, and errors say what to mend."""

import hashlib
import re
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from include.retraining import s3
from include.retraining.errors import (
    ConnectionInvalid,
    CredentialsError,
    IntegrityError,
    ObjectMissing,
    StoreUnsafe,
    Unavailable,
)
from include.retraining.registry import Registry
from tests.retraining.desks import objects, promoted
from tests.retraining.proxy import flipped, in_turn, is_listing, once

pytestmark = pytest.mark.door
LOST = ["swallow", "late 500", "twice", 409, 500, 503]
"""Lost after it was applied, refused after it was applied, sent twice, or not applied at all."""
MISREAD = ["cut", "swallow", flipped, 500]


def test_an_unclear_answer_to_a_write_is_settled_by_reading_back(proxied):
    """One attempt, then the truth is read."""
    store, server = proxied
    for number, order in enumerate(LOST):
        server.fault, server.seen = once(order), []
        assert store.put_if_absent(f"m/log/{number}", b"mine"), order
        assert server.seen[:2] == ["PUT", "GET"], order
        assert store.get(f"m/log/{number}") == b"mine", order


def test_an_unclear_answer_to_a_lost_race_is_a_lost_race(proxied):
    store, server = proxied
    store.put("m/log/1", b"theirs")
    for order in LOST:
        server.fault = once(order)
        assert not store.put_if_absent("m/log/1", b"mine"), order
    assert store.get("m/log/1") == b"theirs"


def test_a_read_back_that_fails_once_makes_no_false_conflict(proxied):
    """The write was applied and its answer lost; then the first look at it goes wrong as well."""
    store, server = proxied
    for number, misread in enumerate(MISREAD):
        writes, reads = in_turn(["swallow"]), in_turn([misread], "GET")
        server.fault = lambda request, writes=writes, reads=reads: writes(request) or reads(request)
        assert store.put_if_absent(f"m/log/{number}", b"mine"), misread
        server.fault = in_turn([misread], "GET")
        assert not store.put_if_absent(f"m/log/{number}", b"other"), misread


def test_a_write_that_is_refused_as_taken_after_its_own_lost_first_attempt_has_won(proxied):
    """The first attempt lands after it was looked for, so the second finds it there."""
    store, server = proxied
    writes, reads = in_turn(["swallow"]), in_turn([(404, "NoSuchKey")], "GET")
    server.fault, server.seen = (lambda request: writes(request) or reads(request)), []
    assert store.put_if_absent("m/log/1", b"mine")
    assert server.seen == ["PUT", "GET", "PUT", "GET"]


@pytest.mark.parametrize("order", ["hang", "late"])
@pytest.mark.parametrize("kind", ["bytes", "file"])
def test_a_server_that_says_nothing_is_asked_again(proxied, tmp_path, monkeypatch, order, kind):
    """Its patience ends before the write, or after it."""
    monkeypatch.setattr(s3, "FILE_TIMEOUT_S", 0.3)
    server, start = proxied[1], time.monotonic()
    store = s3.open_s3(replace(server.settings, extra={**server.settings.extra, "timeout_s": 0.3}))
    (tmp_path / "mine").write_bytes(b"mine")
    server.fault, server.patience_s = once(order), 60
    assert store.put_if_absent("m/log/1", b"mine" if kind == "bytes" else tmp_path / "mine")
    assert store.get("m/log/1") == b"mine"
    assert time.monotonic() - start < server.patience_s / 2


def test_a_file_is_streamed_by_the_same_protocol(proxied, tmp_path):
    store, server = proxied
    mine, theirs = tmp_path / "mine", tmp_path / "theirs"
    mine.write_bytes(b"m" * (5 << 20))
    theirs.write_bytes(b"t" * (5 << 20))
    for number, order in enumerate(LOST):
        server.fault, server.seen = once(order), []
        assert store.put_if_absent(f"m/{number}", mine), order
        assert server.seen[:2] == ["PUT", "GET"], order
        assert store.put_if_absent(f"m/{number}", mine), "the same bytes: a try whose answer was lost"
        server.fault = once(order)
        assert not store.put_if_absent(f"m/{number}", theirs), order
        assert store.fetch(f"m/{number}", tmp_path / "copy") == hashlib.sha256(mine.read_bytes()).hexdigest()


def test_a_file_larger_than_one_put_may_be_is_refused_before_it_is_sent(proxied, tmp_path):
    store, server = proxied
    with (tmp_path / "huge").open("wb") as sparse:
        sparse.truncate(s3.LARGEST_BYTES + 1)
    with pytest.raises(
        StoreUnsafe, match=rf"m/a: {s3.LARGEST_BYTES + 1} bytes; one put to S3 holds {s3.LARGEST_BYTES}"
    ):
        store.put_if_absent("m/a", tmp_path / "huge")
    assert server.seen == []


def test_a_write_that_never_gets_a_clear_answer_is_unavailable(proxied, monkeypatch):
    monkeypatch.setattr(s3, "ATTEMPTS", 2)
    store, server = proxied
    server.fault = lambda request: 503 if request.command == "PUT" else None
    with pytest.raises(Unavailable, match=r"No clear answer to 2 conditional writes of m/log/1 in bucket .* Try again"):
        store.put_if_absent("m/log/1", b"mine")


def test_a_read_is_tried_again(proxied):
    store, server = proxied
    store.put("m/a", b"whole")
    for order in (503, "swallow"):
        server.fault = once(order, "GET")
        assert store.get("m/a") == b"whole", order


def test_a_read_that_breaks_off_is_never_taken_for_the_object(proxied, tmp_path):
    store, server = proxied
    store.put("m/a", b"x" * 1000)
    server.fault = lambda request: "cut" if request.command == "GET" else None
    for read in (store.get, lambda key: store.fetch(key, tmp_path / "copy")):
        with pytest.raises(Unavailable, match="m/a: no answer from bucket"):
            read("m/a")


def test_what_is_longer_than_it_may_be_is_not_fetched_to_its_end(any_store, tmp_path):
    any_store.put("m/a", b"x" * (3 << 20))
    for limit in (0, 1, (3 << 20) - 1):
        with pytest.raises(IntegrityError, match=rf"m/a has more than the {limit} bytes"):
            any_store.fetch("m/a", tmp_path / "copy", limit)
    assert any_store.fetch("m/a", tmp_path / "copy", 3 << 20) == hashlib.sha256(b"x" * (3 << 20)).hexdigest()


def test_only_the_store_itself_says_that_an_object_is_missing(proxied):
    """A page of a web server that is found at the same address is not an empty store."""
    store, server = proxied
    page = b"<!DOCTYPE html><html><body>Not found<br></body></html>"
    server.fault = lambda _: lambda answer: (404, {"Content-Type": "text/html"}, page)
    for read in (store.get, lambda key: list(store.list(key))):
        with pytest.raises(Unavailable, match=r"no answer from bucket .*404"):  # or the body of a true answer was cut
            read("m/a")
    server.fault = once((404, "NoSuchKey"), "GET")
    with pytest.raises(ObjectMissing):
        store.get("m/a")


@pytest.mark.parametrize("page", [b"<html><body>Log in</body></html>", b"<html>Log in<br></html>", b"Log in", b""])
def test_a_page_of_something_else_is_no_empty_listing(proxied, page):
    store, server = proxied
    server.fault = lambda request: is_listing(request) and (lambda answer: (200, {"Content-Type": "text/html"}, page))
    with pytest.raises(Unavailable, match=r"m/: (no answer from bucket|bucket .* answered, but with no listing)"):
        list(store.list("m/"))


def test_a_listing_with_a_moment_that_is_none_is_asked_for_again(proxied):
    store, server = proxied
    store.put("m/a", b"x")
    moment = rb"(<LastModified>\d{4}-\d\d-\d\dT[\d:.]+)Z"
    torn = lambda answer: (*answer[:2], re.sub(moment, rb"\1^", answer[2]))  # noqa: E731
    server.fault = lambda request: is_listing(request) and torn
    with pytest.raises(Unavailable, match=r"m/: no answer from bucket .* that can be read: Invalid timestamp"):
        list(store.list("m/"))
    server.fault = lambda _: None
    assert [one.key for one in store.list("m/")] == ["m/a"]


def test_what_a_server_cannot_do_is_not_asked_again(proxied):
    store, server = proxied
    for order in ((501, "NotImplemented"), (405, "MethodNotAllowed"), (400, "InvalidArgument"), (400, "KMS.NotFound")):
        server.fault, server.seen = (lambda request, order=order: order if request.command == "PUT" else None), []
        for write in (store.put, store.put_if_absent):
            with pytest.raises(StoreUnsafe, match=rf"m/a: bucket .* does not do what it is asked .*{order[1]}.*Mend"):
                write("m/a", b"x")
        assert server.seen == ["PUT", "PUT"], order


def test_a_clock_that_is_too_far_from_the_servers_is_told(proxied):
    store, server = proxied
    server.fault = lambda _: (403, "RequestTimeTooSkewed")
    with pytest.raises(CredentialsError, match=r"\(RequestTimeTooSkewed\)\. Check .* this machine's clock"):
        store.get("m/a")


def test_deleting_what_is_absent_is_silent_on_a_server_that_complains_too(proxied):
    store, server = proxied
    server.fault = once((404, "NoSuchKey"), "DELETE")
    store.delete("m/a")
    assert server.seen == ["DELETE"]


def test_the_stores_clock_is_the_servers(proxied):
    store, server = proxied
    assert abs(store.now() - datetime.now(UTC)) < timedelta(minutes=1)
    late = {"Date": "Fri, 01 Mar 2013 05:00:00 GMT"}
    server.fault = lambda _: lambda answer: (200, late, b"")
    assert store.now() == datetime(2013, 3, 1, 5, tzinfo=UTC)


@pytest.mark.parametrize("told", [None, "yesterday"])
def test_a_server_that_tells_no_time_is_refused(proxied, told):
    store, server = proxied
    headers = {} if told is None else {"Date": told}
    server.fault = lambda _: lambda answer: (200, headers, b"")
    with pytest.raises(StoreUnsafe, match=r"tell no time \(Date: .*\), so nobody knows how old an object is"):
        store.now()


def test_threads_share_clients_that_were_made_before(s3_settings, tmp_path):
    """Boto's clients may be shared, what makes them may not: nothing is made once the store is open."""
    made = []
    store = s3.open_s3(s3_settings, lambda client: made.append(client) or client)
    assert len(made) == 3
    (tmp_path / "file").write_bytes(b"f" * 1000)

    def use(number: int) -> bool:
        store.put(f"m/{number}/bytes", b"x")
        return store.put_if_absent(f"m/{number}/file", tmp_path / "file") and len(store.get(f"m/{number}/file")) == 1000

    with ThreadPoolExecutor(16) as threads:
        assert all(threads.map(use, range(64)))
    assert len(list(store.list("m/"))) == 128
    assert len(made) == 3


def test_a_closed_port_is_unavailable_and_says_where(s3_settings):
    extra = {**s3_settings.extra, "endpoint_url": "http://127.0.0.1:9", "timeout_s": 1}
    closed = s3.open_s3(replace(s3_settings, extra=extra))
    with pytest.raises(Unavailable, match=r"m/a: no answer from bucket 'test-.*' at http://127.0.0.1:9 \(Connection"):
        closed.get("m/a")
    with pytest.raises(Unavailable, match="m/a: no answer from bucket"):
        closed.put_if_absent("m/a", b"x")


@pytest.mark.parametrize(
    ("wrong", "code"), [({"login": "nobody"}, "InvalidAccessKeyId"), ({"password": "no"}, "SignatureDoesNotMatch")]
)
def test_wrong_credentials_are_told_at_once_and_no_secret_is(s3_settings, keyring, wrong, code):
    desk = Registry(s3.open_s3(s3_settings), keyring, "parcels")
    promoted(desk, 1)
    before, head = objects(desk.store), desk.head()
    stranger = s3.open_s3(replace(s3_settings, **wrong))
    for touch in (stranger.get, lambda key: stranger.put_if_absent(key, b"x"), lambda key: list(stranger.list(key))):
        with pytest.raises(CredentialsError, match=rf"refused the credentials \({code}\). Check the") as caught:
            touch("m/a")
        assert s3_settings.password not in str(caught.value)
    assert (objects(desk.store), desk.head()) == (before, head)


def test_no_credentials_at_all_are_wrong_credentials(s3_settings, monkeypatch):
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/no/such/file")
    nobody = s3.open_s3(replace(s3_settings, login="", password=""))
    with pytest.raises(CredentialsError, match="refused the credentials"):
        nobody.get("m/a")


def test_a_missing_bucket_is_told_with_the_connection(s3_settings):
    elsewhere = s3.open_s3(replace(s3_settings, extra={**s3_settings.extra, "bucket": "no-such-bucket"}))
    for touch in (elsewhere.get, lambda key: elsewhere.put_if_absent(key, b"x"), lambda key: list(elsewhere.list(key))):
        with pytest.raises(ConnectionInvalid, match=r"There is no bucket 'no-such-bucket' at .*Make the bucket"):
            touch("m/a")
    with pytest.raises(ConnectionInvalid, match="There is no bucket 'no-such-bucket'"):
        elsewhere.now()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"timeout_s": "soon"}, "timeout_s 'soon' in its extra; expected seconds, above 0"),
        ({"timeout_s": 0}, "timeout_s 0 in"),
        ({"timeout_s": None}, "timeout_s None in"),
        ({"timeout_s": "nan"}, "timeout_s 'nan' in"),
        ({"endpoint_url": "not an address"}, "Mend `endpoint_url` or `region_name` in its extra"),
        ({"region_name": "no region"}, "Mend `endpoint_url` or `region_name` in its extra"),
        ({"encryption": "aes"}, "asks for encryption 'aes'"),
    ],
)
def test_an_extra_that_is_of_no_use_is_told_before_anything_is_sent(s3_settings, wrong, message):
    with pytest.raises(ConnectionInvalid, match=message):
        s3.open_s3(replace(s3_settings, extra={**s3_settings.extra, **wrong}))


def test_a_name_that_no_bucket_can_have_is_told(s3_settings):
    nameless = s3.open_s3(replace(s3_settings, extra={**s3_settings.extra, "bucket": "a bucket/of mine"}))
    for touch in (nameless.get, lambda key: nameless.put_if_absent(key, b"x"), lambda key: list(nameless.list(key))):
        with pytest.raises(ConnectionInvalid, match="There is no bucket 'a bucket/of mine'"):
            touch("m/a")


def test_a_listing_goes_over_pages(s3_settings):
    bucket = s3.open_s3(s3_settings)
    names = [f"m/{number:04d}" for number in range(25)]
    for name in names:
        bucket.put(name, b"")
    pages = bucket._client.get_paginator("list_objects_v2").paginate
    bucket._client.get_paginator = lambda _: type("Small", (), {"paginate": staticmethod(_small(pages))})
    assert [found.key for found in bucket.list("m/")] == names


def _small(paginate):
    return lambda **asked: paginate(**asked, PaginationConfig={"PageSize": 10})
