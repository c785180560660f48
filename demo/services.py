"""The services that the demo and the tests start themselves, all of them on the loopback address."""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo.processes import LOOPBACK, Child, free_port, running

ROOT = Path(__file__).resolve().parent.parent
BUCKET = "retraining"
REGION = "us-east-1"


@dataclass(frozen=True)
class S3:
    """Where an S3 server listens and what it asks for.

    Parameters
    ----------
    port : int
        Loopback port.
    access_key, secret_key : str
        The only credentials that the server accepts.
    """

    port: int
    access_key: str
    secret_key: str
    bucket: str = BUCKET
    region: str = REGION

    @property
    def endpoint_url(self) -> str:
        """Return the address for clients."""
        return f"http://{LOOPBACK}:{self.port}"

    def connection(self) -> dict[str, Any]:
        """Describe the Airflow Connection `store`."""
        extra = {"endpoint_url": self.endpoint_url, "bucket": self.bucket, "region_name": self.region}
        return {"conn_type": "aws", "login": self.access_key, "password": self.secret_key, "extra": extra}


def new_s3(port: int | None = None) -> S3:
    """Choose a port and make up credentials."""
    return S3(free_port(port), "demo-" + secrets.token_hex(6), secrets.token_hex(20))


@contextlib.contextmanager
def s3_server(folder: Path, port: int | None = None, settings: S3 | None = None) -> Iterator[S3]:
    """Run an S3 server whose objects survive a restart, with its bucket made.

    Parameters
    ----------
    folder : Path
        Holds the objects (`data`), the log and the working folder of the server.
    port : int, optional
        Preferred port; another is taken if it is not free.
    settings : S3, optional
        Port and credentials of an earlier start; made up when missing.

    Yields
    ------
    S3
        Address, credentials and bucket.
    """
    s3 = settings or new_s3(port)
    folder = Path(folder).resolve()
    child = Child(
        "The S3 server", [sys.executable, "-m", "demo.s3"], _s3_env(s3, folder), folder / "run", folder / "s3.log"
    )
    with running(child):
        child.wait_until(lambda: _answers(f"{s3.endpoint_url}/_ministack/health"), patience_s=60)
        make_bucket(s3.connection())
        yield s3


def _s3_env(s3: S3, folder: Path) -> dict[str, str]:
    run = folder / "run"
    run.mkdir(parents=True, exist_ok=True)
    return {
        "PATH": os.environ.get("PATH", ""),
        "PYTHONPATH": str(ROOT),
        "HOME": str(run),
        "TMPDIR": str(run),  # its pid file goes there
        "BIND_HOST": LOOPBACK,
        "GATEWAY_PORT": str(s3.port),
        "SERVICES": "s3",
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(folder / "data"),
        "AWS_ACCESS_KEY_ID": s3.access_key,
        "AWS_SECRET_ACCESS_KEY": s3.secret_key,
        "LOG_LEVEL": "WARNING",
        "PYTHONUNBUFFERED": "1",
    }


def _answers(url: str) -> bool:
    with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=2) as answer:
        return bool(answer.status == 200)
    return False


def make_bucket(store: Mapping[str, Any]) -> None:
    """Create the bucket of a Connection `store` unless it is there."""
    import boto3
    from botocore.exceptions import ClientError

    extra = store["extra"]
    keys = {"aws_access_key_id": store["login"], "aws_secret_access_key": store["password"]}
    client = boto3.client("s3", endpoint_url=extra["endpoint_url"], region_name=extra["region_name"], **keys)
    try:
        client.create_bucket(Bucket=extra["bucket"])
    except ClientError as error:
        if error.response["Error"]["Code"] not in {"BucketAlreadyOwnedByYou", "BucketAlreadyExists"}:
            raise
