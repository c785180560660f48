"""Pure: which server-side encryption a store asks for, and whether an answer confirms it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from include.retraining.errors import ConnectionInvalid, StoreUnsafe

NONE, SSE_S3, SSE_KMS = "none", "sse-s3", "sse-kms"
MARK = "encryption-asked"
ALGORITHMS = {SSE_S3: "AES256", SSE_KMS: "aws:kms"}


@dataclass(frozen=True)
class Encryption:
    """A mode, and the key's id for SSE-KMS."""

    mode: str = NONE
    kms_key_id: str = ""

    def asked(self) -> dict[str, str]:
        """Return the arguments that a write is sent with."""
        if self.mode == NONE:
            return {}
        key = {"SSEKMSKeyId": self.kms_key_id} if self.mode == SSE_KMS else {}
        return {"ServerSideEncryption": ALGORITHMS[self.mode], **key}

    def mark(self) -> dict[str, Any]:
        """Return the note that a write leaves on its object, which tells it from what lay there before."""
        return {} if self.mode == NONE else {"Metadata": {MARK: self.mode}}

    def is_marked(self, answer: Mapping[str, Any]) -> bool:
        """Return whether an object was written when encryption was asked for already: then it has to be confirmed."""
        return MARK in (answer.get("Metadata") or {})

    def confirm(self, answer: Mapping[str, Any], what: str) -> None:
        """Raise StoreUnsafe unless the answer says that the object lies encrypted as asked.

        A server may name a key by its whole ARN, which ends in a slash and the id.
        """
        asked = self.asked()
        found = {name: str(answer.get(name) or "") for name in asked}
        named = found.get("SSEKMSKeyId", "")
        key_holds = named == self.kms_key_id or named.endswith(f"/{self.kms_key_id}")
        if not (key_holds and found.get("ServerSideEncryption") == asked.get("ServerSideEncryption")):
            raise StoreUnsafe(
                f"{what} was written without the encryption that Connection `store` asks for: expected {asked}, the "
                f"server confirmed {found}. Mend the server or `encryption` in the extra, then remove that object."
            )


def from_extra(extra: Mapping[str, Any]) -> Encryption:
    """Return what a Connection's extra asks for: ``encryption`` and, for ``sse-kms``, ``kms_key_id``.

    Raises
    ------
    ConnectionInvalid
        The mode is unknown, or a key's id is missing or of no use.
    """
    mode, key = str(extra.get("encryption", NONE)), str(extra.get("kms_key_id") or "")
    if mode not in (NONE, *ALGORITHMS):
        raise ConnectionInvalid(
            f"Connection `store` asks for encryption {mode!r}; expected {NONE}, {SSE_S3} or {SSE_KMS} in its extra."
        )
    if (mode == SSE_KMS) != bool(key):
        raise ConnectionInvalid(
            f"Connection `store` has encryption {mode!r} and kms_key_id {key!r}; {SSE_KMS} needs the id of a key, "
            "the other modes take none."
        )
    if any(sign.isspace() for sign in key) or ":alias/" in f":{key}":
        raise ConnectionInvalid(
            f"Connection `store` has kms_key_id {key!r}; expected a key's id or ARN, without spaces and no alias: "
            "servers confirm the key, not the alias."
        )
    return Encryption(mode, key)


def refuse(extra: Mapping[str, Any], what: str) -> None:
    """Raise ConnectionInvalid if encryption is asked of what cannot give it: nobody may believe that it is there."""
    if (mode := from_extra(extra).mode) != NONE:
        raise ConnectionInvalid(
            f"Connection `store` asks for encryption {mode!r}, which {what} does not give. Encrypt its disk and take "
            "`encryption` out of the extra, or use S3."
        )
