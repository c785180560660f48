"""What the doctor says of a Ceph, of one that is asked to encrypt, and of a bucket where conditions may not count."""

from dataclasses import replace

import boto3
import pytest

from demo import ceph
from include.retraining import connections, doctor, intake, probes
from tests.conftest import SECRET, connection_env

VERSIONED = {"versioning", "put-if-absent", "one winner of 8", "lost answer"}


@pytest.fixture
def diagnose(monkeypatch):
    """Return a function that examines the installation that a Connection `store` leads to."""
    whole = [
        connections.Settings("signing", "generic", login="key-1", password=SECRET),
        connections.Settings("pseudonyms", "generic", login="key-1", password=SECRET),
        connections.Settings("warehouse", "sqlite", host="/nowhere/warehouse.sqlite"),
    ]

    def look(store: connections.Settings) -> dict[str, probes.Diagnosis]:
        for one in (*whole, store):
            monkeypatch.setenv(f"AIRFLOW_CONN_{one.name.upper()}", connection_env(one))
        return {one.check: one for one in doctor.examine(intake.now_utc)}

    return look


def test_ceph_passes_every_check(diagnose, s3_settings):
    found = diagnose(s3_settings)
    assert {one.told for one in found.values() if one.state != probes.OK} == set()
    assert {"anonymous write", "wrong secret", "lost answer", "1,001 keys in order"} <= set(found)
    assert list(connections.open_store().list("")) == []


def test_ceph_passes_every_check_when_it_encrypts(diagnose, s3_settings, monkeypatch):
    monkeypatch.setattr(probes, "PAGE", 3)
    asked = {"encryption": "sse-kms", "kms_key_id": ceph.KMS_KEY_ID}
    found = diagnose(replace(s3_settings, extra={**s3_settings.extra, **asked}))
    assert {one.told for one in found.values() if one.state != probes.OK} == set()
    assert found["encryption"].told.endswith(f"confirmed by the server for every write: sse-kms {ceph.KMS_KEY_ID}.")


def test_a_versioned_bucket_is_fit_for_use_only_where_the_condition_counts(diagnose, s3_settings, monkeypatch):
    """Ceph 16 ignores it there; later releases heed it, and then old versions are only something to know of."""
    monkeypatch.setattr(probes, "PAGE", 3)
    client = boto3.client(
        "s3",
        endpoint_url=s3_settings.extra["endpoint_url"],
        region_name=s3_settings.extra["region_name"],
        aws_access_key_id=s3_settings.login,
        aws_secret_access_key=s3_settings.password,
    )
    bucket = s3_settings.extra["bucket"]
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    found = diagnose(s3_settings)
    failed = {check for check, one in found.items() if one.state == probes.FAILED}
    if found["versioning"].state == probes.WARNING:
        assert failed == set()
    else:
        assert failed <= VERSIONED
        assert "there the server ignores If-None-Match" in found["versioning"].told
        assert doctor.verdict([*found.values()]).startswith("Not fit for use")
