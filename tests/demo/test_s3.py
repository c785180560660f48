"""The S3 server of the demo: who may come in, and what survives."""

import contextlib
import io
import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from demo.processes import ServiceError, members
from demo.services import ROOT, S3, s3_server

pytestmark = pytest.mark.door


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with s3_server(tmp_path_factory.mktemp("s3")) as s3:
        yield s3


def client(s3, access_key=None, secret_key=None):
    return boto3.client(
        "s3",
        endpoint_url=s3.endpoint_url,
        region_name=s3.region,
        aws_access_key_id=access_key or s3.access_key,
        aws_secret_access_key=secret_key or s3.secret_key,
        config=Config(retries={"total_max_attempts": 1}),
    )


def code_of(call, *args, **kwargs):
    with pytest.raises(ClientError) as caught:
        call(*args, **kwargs)
    return caught.value.response["Error"]["Code"]


def status_of(url, method="GET", data=None):
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(urllib.request.Request(url, method=method, data=data), timeout=10)
    with contextlib.closing(caught.value) as answer:
        return answer.code


def test_put_if_absent_has_one_winner(server):
    s3 = client(server)
    s3.put_object(Bucket=server.bucket, Key="log/1", Body=b"first", IfNoneMatch="*")
    assert code_of(s3.put_object, Bucket=server.bucket, Key="log/1", Body=b"second", IfNoneMatch="*") == (
        "PreconditionFailed"
    )
    assert s3.get_object(Bucket=server.bucket, Key="log/1")["Body"].read() == b"first"


@pytest.mark.parametrize("key", ["a b", "plus+and&amp", "ünïcode", "run=1/it's (2013-02-01T05:00:00+00:00)~.json"])
def test_signatures_of_strange_keys_are_right(server, key):
    s3 = client(server)
    s3.put_object(Bucket=server.bucket, Key=key, Body=b"x" * 100)
    assert s3.head_object(Bucket=server.bucket, Key=key)["ContentLength"] == 100
    assert [found["Key"] for found in s3.list_objects_v2(Bucket=server.bucket, Prefix=key)["Contents"]] == [key]


def test_large_objects_and_ranges(server):
    s3, body = client(server), os.urandom(9 << 20)
    s3.upload_fileobj(io.BytesIO(body), server.bucket, "large")
    part = s3.get_object(Bucket=server.bucket, Key="large", Range="bytes=100-199")["Body"].read()
    assert part == body[100:200]


@pytest.mark.parametrize(
    ("access_key", "secret_key", "code"),
    [
        ("nobody", None, "InvalidAccessKeyId"),
        ("test", "test", "InvalidAccessKeyId"),
        ("000000000000", None, "InvalidAccessKeyId"),
        (None, "wrong", "SignatureDoesNotMatch"),
    ],
)
def test_wrong_credentials_are_refused(server, access_key, secret_key, code):
    stranger = client(server, access_key, secret_key)
    assert code_of(stranger.list_objects_v2, Bucket=server.bucket) == code
    assert code_of(stranger.put_object, Bucket=server.bucket, Key="x", Body=b"x" * (3 << 20)) == code


@pytest.mark.parametrize(
    ("path", "method"),
    [
        ("/retraining/log/1", "GET"),
        ("/retraining?list-type=2", "GET"),
        ("/retraining/log/1", "DELETE"),
        ("/_ministack/reset", "POST"),
        ("/_ministack/config", "POST"),
        ("/_ministack/health", "POST"),
        ("/_localstack/health", "GET"),
        ("//_ministack/reset", "POST"),
        ("/%5fministack/reset", "POST"),
        ("/retraining/../_ministack/reset", "POST"),
    ],
)
def test_nobody_gets_in_without_a_signature(server, path, method):
    client(server).put_object(Bucket=server.bucket, Key="canary", Body=b"alive")
    assert status_of(server.endpoint_url + path, method, data=b"{}" if method == "POST" else None) == 403
    assert client(server).get_object(Bucket=server.bucket, Key="canary")["Body"].read() == b"alive"


def test_presigned_links_are_not_served(server):
    link = client(server).generate_presigned_url("get_object", Params={"Bucket": server.bucket, "Key": "canary"})
    assert status_of(link) == 403


def test_it_listens_on_one_port_of_the_loopback_address(tmp_path):
    with s3_server(tmp_path) as s3:
        (process,) = members(tmp_path / "run")
        sockets = subprocess.run(["ss", "-ltnpH"], capture_output=True, text=True, check=True).stdout.splitlines()
        mine = [line.split()[3] for line in sockets if f"pid={process.pid}," in line]
        assert mine == [f"127.0.0.1:{s3.port}"]


def test_objects_survive_a_restart_and_a_kill(tmp_path):
    with s3_server(tmp_path) as s3:
        client(s3).put_object(Bucket=s3.bucket, Key="kept", Body=b"1")
        for process in members(tmp_path / "run"):
            process.kill()
            process.wait()
    with s3_server(tmp_path, settings=s3) as again:
        assert again == s3
        assert client(again).get_object(Bucket=s3.bucket, Key="kept")["Body"].read() == b"1"
    assert members(tmp_path / "run") == []


def test_a_taken_port_is_avoided(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with s3_server(tmp_path, port=port) as s3:
            assert s3.port != port
            client(s3).list_objects_v2(Bucket=s3.bucket)


def test_a_server_that_cannot_start_says_why(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        settings = S3(taken.getsockname()[1], "key", "secret")
        failure = pytest.raises(ServiceError, match=r"The S3 server ended with status 1")
        with failure as caught, s3_server(tmp_path, settings=settings):
            pass
    assert "address already in use" in str(caught.value).lower()


def test_module_reads_no_environment_when_imported():
    subprocess.run([sys.executable, "-c", "import demo.s3"], check=True, env={"PYTHONPATH": str(ROOT)})
