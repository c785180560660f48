"""Door: bytes by key in a bucket of any server that speaks S3, through boto3."""

import base64
import contextlib
import hashlib
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from include.retraining.errors import ConnectionInvalid, CredentialsError, ObjectMissing, Unavailable
from include.retraining.store import CHUNK_BYTES, Stored, copy_hashed, missing

if TYPE_CHECKING:
    from include.retraining.connections import Settings

ATTEMPTS = 5
CREDENTIAL_CODES = {
    "403",
    "AccessDenied",
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "ExpiredToken",
    "InvalidToken",
    "NoCredentialsError",
    "PartialCredentialsError",
}


def open_s3(settings: "Settings") -> "S3Store":
    """Return a store in the bucket of a Connection of type ``aws``; nothing is sent yet."""
    return S3Store(
        bucket=settings.need("bucket"),
        endpoint_url=settings.extra.get("endpoint_url"),
        region=settings.extra.get("region_name", "us-east-1"),
        access_key=settings.login,
        secret_key=settings.password,
        timeout_s=float(settings.extra.get("timeout_s", 10)),
    )


class S3Store:
    """A bucket of any server that speaks S3. Conditional writes go out once; what is unclear is read back."""

    def __init__(
        self, *, bucket: str, endpoint_url: str | None, region: str, access_key: str, secret_key: str, timeout_s: float
    ) -> None:
        import boto3

        self._bucket = bucket
        self._where = f"bucket {bucket!r} at {endpoint_url or 'AWS'} (Connection `store`)"
        session = boto3.session.Session(access_key or None, secret_key or None, region_name=region)
        try:
            self._client = session.client("s3", endpoint_url=endpoint_url, config=_config(timeout_s, attempts=3))
            # A retried conditional write reports failure for a write that was applied, so there is no retry inside it.
            self._once = session.client("s3", endpoint_url=endpoint_url, config=_config(timeout_s, attempts=1))
        except ValueError as error:
            raise ConnectionInvalid(f"There is no {self._where}: {error}. Mend `endpoint_url` in its extra.") from None

    def get(self, key: str) -> bytes:
        """Return an object's bytes; raises ObjectMissing."""
        with self._failures(key):
            return bytes(self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read())

    def fetch(self, key: str, path: Path) -> str:
        """Stream an object into a file and return its sha256; raises ObjectMissing."""
        with self._failures(key), path.open("wb") as sink:
            body = self._client.get_object(Bucket=self._bucket, Key=key)["Body"]
            return copy_hashed(body.iter_chunks(CHUNK_BYTES), sink)

    def put(self, key: str, data: bytes) -> None:
        """Write or overwrite."""
        with self._failures(key):
            self._client.put_object(Bucket=self._bucket, Key=key, Body=data, ContentMD5=_md5(data))

    def put_if_absent(self, key: str, data: bytes) -> bool:
        """Return whether the key holds exactly ``data`` afterwards."""
        for attempt in range(ATTEMPTS):
            try:
                self._once.put_object(Bucket=self._bucket, Key=key, Body=data, ContentMD5=_md5(data), IfNoneMatch="*")
            except Exception as error:
                self._refuse_certain_failures(error, key)
                found = self._read_back(key)
                if found is not None:
                    return found == data
                time.sleep(0.1 * 2**attempt * (1 + secrets.randbelow(100) / 100))
            else:
                return True
        raise Unavailable(f"No clear answer to {ATTEMPTS} conditional writes of {key} in {self._where}. Try again.")

    def list(self, prefix: str) -> Iterator[Stored]:
        """Yield objects whose key starts with ``prefix``, in key order."""
        with self._failures(prefix):
            for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix):
                for item in page.get("Contents", ()):
                    yield Stored(item["Key"], item["Size"])

    def delete(self, key: str) -> None:
        """Remove an object; nothing happens if it is absent."""
        with self._failures(key):
            self._client.delete_object(Bucket=self._bucket, Key=key)

    def _read_back(self, key: str) -> bytes | None:
        try:
            return self.get(key)
        except ObjectMissing:
            return None

    @contextlib.contextmanager
    def _failures(self, key: str) -> Iterator[None]:
        from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

        try:
            yield
        except (ClientError, BotoCoreError, HTTPClientError) as error:
            if _code(error) in {"NoSuchKey", "404"}:
                missing(key)
            self._refuse_certain_failures(error, key)
            raise Unavailable(f"{key}: no answer from {self._where}: {error}") from error

    def _refuse_certain_failures(self, error: Exception, key: str) -> None:
        code = _code(error)
        if code in CREDENTIAL_CODES:
            raise CredentialsError(
                f"{key}: {self._where} refused the credentials ({code}). Check the Connection's login and password."
            ) from error
        if code == "NoSuchBucket":
            raise ConnectionInvalid(
                f"There is no {self._where}. Make the bucket or mend `bucket` in its extra."
            ) from error


def _config(timeout_s: float, attempts: int) -> Any:
    from botocore.config import Config

    return Config(
        connect_timeout=timeout_s,
        read_timeout=timeout_s,
        retries={"total_max_attempts": attempts, "mode": "standard"},
        s3={"addressing_style": "path"},
        # Ceph 16 refuses trailing checksums; our own sha256 is the integrity that counts.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )


def _code(error: Exception) -> str:
    response = getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Code", type(error).__name__))


def _md5(data: bytes) -> str:
    return base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()
