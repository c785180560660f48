"""What only a server can get wrong is found on real ones: the small one behind its door, and without it."""

from dataclasses import replace

import boto3
import pytest

from include.retraining import s3, s3_probes
from include.retraining.probes import FAILED, OK, WARNING
from tests.retraining.desks import objects
from tests.retraining.proxy import is_read, without

pytestmark = pytest.mark.door
ASKED = {"encryption": "sse-kms", "kms_key_id": "key-1"}


def states(settings) -> dict[str, str]:
    return {probe.check: probe.ask(settings)[0] for probe in (s3_probes.ENCRYPTION, *s3_probes.PROBES)}


def versioned(settings) -> None:
    boto3.client(
        "s3",
        endpoint_url=settings.extra["endpoint_url"],
        region_name="us-east-1",
        aws_access_key_id=settings.login,
        aws_secret_access_key=settings.password,
    ).put_bucket_versioning(Bucket=settings.extra["bucket"], VersioningConfiguration={"Status": "Enabled"})


def test_an_honest_server_passes_and_nothing_is_left(s3_settings):
    assert states(s3_settings) == dict.fromkeys(("encryption", *(probe.check for probe in s3_probes.PROBES)), OK)
    assert objects(s3.open_s3(s3_settings)) == {}


def test_a_server_without_a_door_is_open_to_anybody(open_settings):
    """It checks no signature: whoever reaches its port reads and writes."""
    found = {probe.check: probe.ask(open_settings) for probe in s3_probes.PROBES}
    assert {check for check, (state, _) in found.items() if state == FAILED} == {
        "anonymous read",
        "anonymous write",
        "wrong secret",
    }
    assert "Anybody who reaches the server can write without a signature. Close it" in found["anonymous write"][1]
    assert objects(s3.open_s3(open_settings)) == {}


def test_who_may_list_may_read_names(lying):
    """Reading is refused, listing is not."""
    lying.server.fault = lambda request: (403, "AccessDenied") if is_read(request) and not is_signed(request) else None
    state, told = s3_probes.refuses_anonymous_reads(lying.settings)
    assert (state, "read or list" in told) == (FAILED, True)
    lying.server.fault = lambda request: None if is_signed(request) else (403, "AccessDenied")
    assert s3_probes.refuses_anonymous_reads(lying.settings)[0] == OK


def is_signed(request) -> bool:
    return "Authorization" in request.headers


def test_who_is_neither_let_in_nor_refused_is_a_warning(lying):
    lying.server.fault = lambda request: None if is_signed(request) else 500
    for ask in (s3_probes.refuses_anonymous_reads, s3_probes.refuses_anonymous_writes):
        state, told = ask(lying.settings)
        assert (state, "is neither let in nor refused" in told) == (WARNING, True)


def test_an_anonymous_write_is_found_where_encryption_is_asked_for(open_settings):
    settings = replace(open_settings, extra={**open_settings.extra, **ASKED})
    assert s3_probes.refuses_anonymous_writes(settings)[0] == FAILED
    assert objects(s3.open_s3(settings)) == {}


def test_a_server_that_stores_altered_bytes_is_a_warning(lying):
    """Our own sha256 finds them when they are read."""
    lying.server.fault = without("Content-MD5")
    state, told = s3_probes.refuses_altered_bytes(lying.settings)
    assert (state, "our own sha256" in told) == (WARNING, True)
    assert objects(s3.open_s3(lying.settings)) == {}


def test_a_lost_answer_that_cannot_be_settled_is_found(lying):
    """A cache says that nothing lies there, as it was before the write."""
    lying.server.fault = without("If-None-Match")
    assert s3_probes.settles_a_lost_answer(lying.settings)[0] == FAILED
    lying.server.fault = lambda _: None
    assert s3_probes.settles_a_lost_answer(lying.settings)[0] == OK
    assert objects(s3.open_s3(lying.settings)) == {}


def test_a_versioned_bucket_is_told_whether_or_not_the_condition_holds(lying):
    versioned(lying.settings)
    state, told = s3_probes.keeps_the_first_of_versions(lying.settings)
    assert (state, "add a lifecycle rule" in told) == (WARNING, True)
    lying.server.fault = without("If-None-Match")
    state, told = s3_probes.keeps_the_first_of_versions(lying.settings)
    assert (state, "there the server ignores If-None-Match" in told) == (FAILED, True)


def test_a_server_that_does_not_tell_of_versions_is_a_warning(lying):
    lying.server.fault = lambda request: (501, "NotImplemented") if "versioning" in request.path else None
    assert s3_probes.keeps_the_first_of_versions(lying.settings)[0] == WARNING


@pytest.mark.parametrize("extra", [{}, {"encryption": "sse-s3"}, ASKED], ids=["none", "sse-s3", "sse-kms"])
def test_encryption_is_confirmed_or_said_to_be_not_asked_for(open_settings, extra):
    state, told = s3_probes.confirms_encryption(replace(open_settings, extra={**open_settings.extra, **extra}))
    asked = f"{extra.get('encryption')} {extra.get('kms_key_id', '')}".strip()
    assert state == OK
    assert told.startswith(
        f"Asked for, and confirmed by the server for every write: {asked}." if extra else "Not asked"
    )


def test_a_secret_that_comes_from_the_machine_is_tried_wrong_too(s3_settings, monkeypatch):
    """Without a login in the Connection boto looks for credentials in the environment."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3_settings.login)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3_settings.password)
    assert s3_probes.refuses_a_wrong_secret(replace(s3_settings, login="", password=""))[0] == OK
