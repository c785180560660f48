"""Door: bytes by key in a bucket of any server that speaks S3, through boto3."""

import base64
import contextlib
import math
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from include.retraining import encryption, keys
from include.retraining.encryption import Encryption
from include.retraining.errors import (
    ConnectionInvalid,
    CredentialsError,
    ObjectMissing,
    RetrainingError,
    StoreUnsafe,
    Unavailable,
)
from include.retraining.store import CHUNK_BYTES, SMALL_BYTES, Payload, Stored, copy_hashed, digest_of, limited, missing

if TYPE_CHECKING:
    from include.retraining.connections import Settings

ATTEMPTS = 5
BACKOFF_S = 0.1
"""How long the second conditional write waits at least; each later one twice as long as the one before."""
TIMEOUT_S = 10
FILE_TIMEOUT_S = 300
"""How long a server may take to answer for a whole file."""
LARGEST_BYTES = 5 << 30
"""What one put may hold. A single put is atomic on every server; a multipart upload may ignore the condition."""
CREDENTIAL_CODES = {
    "403",
    "AccessDenied",
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "ExpiredToken",
    "InvalidToken",
    "NoCredentialsError",
    "PartialCredentialsError",
    "RequestTimeTooSkewed",
}
BUCKET_CODES = {"NoSuchBucket", "InvalidBucketName", "ParamValidationError"}
UNFIT_CODES = {"NotImplemented", "MethodNotAllowed", "InvalidArgument", "InvalidRequest", "501", "405"}
"""A server that does not know the condition or the encryption asked for says so again however often it is asked."""


def open_s3(settings: "Settings", altered: Callable[[Any], Any] | None = None) -> "S3Store":
    """Return a store in the bucket of a Connection of type ``aws``; nothing is sent yet.

    Parameters
    ----------
    settings : Settings
        The Connection; its extra needs ``bucket`` and may hold ``endpoint_url``, ``region_name``, ``timeout_s``,
        ``encryption`` and ``kms_key_id``.
    altered : callable, optional
        What a probe makes of each client, to see what the server says to a wrong request.

    Raises
    ------
    ConnectionInvalid
        The extra lacks something, or holds what is of no use.
    """
    import boto3

    session = boto3.session.Session(
        settings.login or None,
        settings.password or None,
        region_name=settings.extra.get("region_name", "us-east-1"),
    )
    endpoint_url = settings.extra.get("endpoint_url")
    where = f"bucket {settings.need('bucket')!r} at {endpoint_url or 'AWS'} (Connection `store`)"
    timeout_s = _timeout_s(settings)

    def client(attempts: int, answer_timeout_s: float = timeout_s) -> Any:
        try:
            config = _config(attempts, timeout_s, answer_timeout_s)
            made = session.client("s3", endpoint_url=endpoint_url, config=config)
        except ValueError as error:
            raise ConnectionInvalid(
                f"There is no {where}: {error}. Mend `endpoint_url` or `region_name` in its extra."
            ) from None
        return altered(made) if altered else made

    return S3Store(settings.need("bucket"), where, client, encryption.from_extra(settings.extra))


class S3Store:
    """A bucket of any server that speaks S3. Conditional writes go out once; what is unclear is read back."""

    def __init__(self, bucket: str, where: str, client: Callable[..., Any], asked: Encryption) -> None:
        self._bucket, self._where, self._encryption = bucket, where, asked
        # All are made here: threads may share a client, but not the session that makes it.
        self._client = client(3)
        # A retried conditional write reports failure for a write that was applied, so there is no retry inside it.
        self._once, self._for_files = client(1), client(1, FILE_TIMEOUT_S)
        self._proving = threading.Lock()
        self._is_proven = asked.mode == encryption.NONE

    def get(self, key: str, limit_bytes: int = SMALL_BYTES) -> bytes:
        """Return an object's bytes; raises ObjectMissing, and IntegrityError beyond the limit."""
        with self._failures(key):
            body = self._client.get_object(Bucket=self._bucket, Key=key)["Body"]
            with body:  # what is too long is not read to its end
                return b"".join(limited(body.iter_chunks(CHUNK_BYTES), key, limit_bytes))

    def fetch(self, key: str, path: Path, limit_bytes: int | None = None) -> str:
        """Stream an object into a file and return its sha256; raises ObjectMissing."""
        with self._failures(key), path.open("wb", buffering=0) as sink:
            body = self._client.get_object(Bucket=self._bucket, Key=key)["Body"]
            with body:  # what is too long is not read to its end
                return copy_hashed(body.iter_chunks(CHUNK_BYTES), sink, key, limit_bytes)

    def put(self, key: str, data: bytes) -> None:
        """Write or overwrite."""
        self._prove_encryption()
        with self._failures(key):
            self._encryption.confirm(self._send(self._client, key, data), key)

    def put_if_absent(self, key: str, data: Payload) -> bool:
        """Return whether the key holds exactly ``data`` afterwards."""
        self._prove_encryption()
        client = self._once if isinstance(data, bytes) else self._for_files
        for attempt in range(ATTEMPTS):
            try:
                answer = self._send(client, key, data, IfNoneMatch="*")
            except Exception as error:
                self._refuse_certain_failures(error, key)
                # A 412 to the first attempt is about somebody else's write; later ones may be about our own.
                held = self._holds(key, data, is_ours=attempt > 0 or _code(error) != "PreconditionFailed")
                if held is not None:
                    return held
                time.sleep(BACKOFF_S * 2**attempt * (1 + secrets.randbelow(100) / 100))
            else:
                self._confirm_new(answer, key)
                return True
        raise Unavailable(f"No clear answer to {ATTEMPTS} conditional writes of {key} in {self._where}. Try again.")

    def list(self, prefix: str) -> Iterator[Stored]:
        """Yield objects whose key starts with ``prefix``, in key order."""
        with self._failures(prefix):
            for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix):
                if "IsTruncated" not in page:  # a log-in page is no empty listing
                    raise Unavailable(f"{prefix}: {self._where} answered, but with no listing. Look what lies between.")
                for item in page.get("Contents", ()):
                    yield Stored(item["Key"], item["Size"], item["LastModified"].astimezone(UTC))

    def delete(self, key: str) -> None:
        """Remove an object; nothing happens if it is absent."""
        with contextlib.suppress(ObjectMissing), self._failures(key):
            self._client.delete_object(Bucket=self._bucket, Key=key)

    def now(self) -> datetime:
        """Return the present moment by the server's clock; raises StoreUnsafe if its answers tell none."""
        with self._failures("its clock"):
            headers = self._client.head_bucket(Bucket=self._bucket)["ResponseMetadata"]["HTTPHeaders"]
        told = headers.get("date", "")
        try:
            return parsedate_to_datetime(told).astimezone(UTC)
        except ValueError:
            raise StoreUnsafe(
                f"The answers of {self._where} tell no time (Date: {told!r}), so nobody knows how old an object is. "
                "Use a server, or a proxy before it, that sends the header `Date`."
            ) from None

    def leftovers(self, prefix: str) -> Iterator[Stored]:
        """Yield nothing: a put is whole or absent, and no upload has parts."""
        return iter(())

    def keeps_old_objects(self) -> bool:
        """Return whether the bucket is versioned: what is overwritten or deleted stays in it."""
        with self._failures("its versioning"):
            return bool(self._client.get_bucket_versioning(Bucket=self._bucket).get("Status") == "Enabled")

    def _send(self, client: Any, key: str, data: Payload, **condition: str) -> Any:
        if isinstance(data, Path) and data.stat().st_size > LARGEST_BYTES:
            raise StoreUnsafe(f"{key}: {data.stat().st_size} bytes; one put to S3 holds {LARGEST_BYTES} at most.")
        checksum = base64.b64encode(bytes.fromhex(digest_of(data, "md5"))).decode()
        with contextlib.ExitStack() as opened:
            body = data if isinstance(data, bytes) else opened.enter_context(data.open("rb"))
            return client.put_object(
                Bucket=self._bucket,
                Key=key,
                Body=body,
                ContentMD5=checksum,
                **self._encryption.asked(),
                **self._encryption.mark(),
                **condition,
            )

    def _confirm_new(self, answer: Any, key: str) -> None:
        """Refuse what was just made without encryption, and take it away: nobody may find it done."""
        try:
            self._encryption.confirm(answer, key)
        except StoreUnsafe:
            with contextlib.suppress(RetrainingError):  # the next try refuses it by its mark
                self.delete(key)
            raise

    def _holds(self, key: str, data: Payload, is_ours: bool) -> bool | None:
        """Return whether the key holds these bytes, or None if nothing lies there."""
        digest = digest_of(data)
        with contextlib.suppress(ObjectMissing):
            with contextlib.suppress(Unavailable):  # a read may break off, and a byte may flip on its way
                if self._lies_there(key, digest, is_ours):
                    return True
            return self._lies_there(key, digest, is_ours)
        return None

    def _lies_there(self, key: str, digest: str, is_ours: bool) -> bool:
        with self._failures(key), Path(os.devnull).open("wb") as nowhere:
            answer = self._client.get_object(Bucket=self._bucket, Key=key)
            is_same = copy_hashed(answer["Body"].iter_chunks(CHUNK_BYTES), nowhere, key) == digest
        # The answer to our write was lost, or an earlier try was refused: this one has to confirm.
        if is_same and (is_ours or self._encryption.is_marked(answer)):
            self._encryption.confirm(answer, key)
        return is_same

    def _prove_encryption(self) -> None:
        """Ask once, with an object of its own, before anything that matters is written."""
        with self._proving:
            if self._is_proven:
                return
            key = keys.probe(secrets.token_hex(8))
            try:
                with self._failures(key):
                    self._encryption.confirm(self._send(self._client, key, b"encrypted?"), key)
            finally:
                self.delete(key)
            self._is_proven = True

    @contextlib.contextmanager
    def _failures(self, key: str) -> Iterator[None]:
        from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
        from botocore.parsers import ResponseParserError
        from urllib3.exceptions import HTTPError

        try:
            yield
        except (ClientError, BotoCoreError, HTTPClientError, ResponseParserError, HTTPError) as error:
            if _code(error) == "NoSuchKey":
                missing(key)
            self._refuse_certain_failures(error, key)
            raise Unavailable(f"{key}: no answer from {self._where}: {error}") from error
        except ValueError as error:  # botocore's, of a moment in an answer that is none
            raise Unavailable(f"{key}: no answer from {self._where} that can be read: {error}") from error

    def _refuse_certain_failures(self, error: Exception, key: str) -> None:
        code = _code(error)
        if code in CREDENTIAL_CODES:
            raise CredentialsError(
                f"{key}: {self._where} refused the credentials ({code}). Check the Connection's login and password, "
                "and this machine's clock."
            ) from error
        is_no_bucket = code == "404" and getattr(error, "operation_name", "") == "HeadBucket"  # it has no body
        if code in BUCKET_CODES or is_no_bucket:
            raise ConnectionInvalid(
                f"There is no {self._where}. Make the bucket or mend `bucket` in its extra."
            ) from error
        if code in UNFIT_CODES or code.startswith("KMS."):
            raise StoreUnsafe(
                f"{key}: {self._where} does not do what it is asked ({error}). Mend `encryption` in the extra if it "
                "asks for one, or use a server that knows conditional writes."
            ) from error
        if isinstance(error, RetrainingError | TypeError | ValueError):
            raise error


def _timeout_s(settings: "Settings") -> float:
    found = settings.extra.get("timeout_s", TIMEOUT_S)
    with contextlib.suppress(TypeError, ValueError):
        if 0 < float(found) < math.inf:
            return float(found)
    raise ConnectionInvalid(f"Connection `store` has timeout_s {found!r} in its extra; expected seconds, above 0.")


def _config(attempts: int, timeout_s: float, answer_timeout_s: float) -> Any:
    from botocore.config import Config

    return Config(
        connect_timeout=timeout_s,
        read_timeout=answer_timeout_s,
        retries={"total_max_attempts": attempts, "mode": "standard"},
        s3={"addressing_style": "path"},
        # Ceph 16 refuses trailing checksums; our own sha256 is the integrity that counts.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )


def _code(error: Exception) -> str:
    response = getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Code", type(error).__name__))
