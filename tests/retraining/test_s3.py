"""The S3 door when the network or the server misbehaves: the truth is read back, and errors say what to mend."""

from dataclasses import replace

import pytest

from include.retraining import s3
from include.retraining import store as stores
from include.retraining.errors import ConnectionInvalid, CredentialsError, StoreUnsafe, Unavailable
from tests.retraining.proxy import once

pytestmark = pytest.mark.door
LOST = ["swallow", "late 500", 409, 500, 503]


def test_an_unclear_answer_to_a_write_is_settled_by_reading_back(proxied):
    """A lost reply, an error after or before the write: one attempt, then the truth is read."""
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


def test_a_server_that_ignores_the_condition_is_refused(proxied):
    """As real servers do: the header is taken, and the object overwritten."""
    store, server = proxied
    store._once.meta.events.register("before-sign.s3.PutObject", _without_condition)
    with pytest.raises(StoreUnsafe, match="accepts If-None-Match and overwrites all the same"):
        stores.prove(store)
    assert server.seen[:2] == ["PUT", "PUT"]
    assert list(store.list("")) == []


def _without_condition(request, **_) -> None:
    del request.headers["If-None-Match"]


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
def test_wrong_credentials_are_told_at_once_and_no_secret_is(s3_settings, wrong, code):
    stranger = s3.open_s3(replace(s3_settings, **wrong))
    for touch in (stranger.get, lambda key: stranger.put_if_absent(key, b"x"), lambda key: list(stranger.list(key))):
        with pytest.raises(CredentialsError, match=rf"refused the credentials \({code}\). Check the") as caught:
            touch("m/a")
        assert s3_settings.password not in str(caught.value)


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


def test_an_endpoint_that_is_no_address_is_told(s3_settings):
    with pytest.raises(ConnectionInvalid, match="Mend `endpoint_url` in its extra"):
        s3.open_s3(replace(s3_settings, extra={**s3_settings.extra, "endpoint_url": "not an address"}))


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
