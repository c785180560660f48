"""Signs manifests and log entries, seals records, and verifies both: nothing is used before it has been verified."""

import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Any

from include.retraining.errors import IntegrityError

ALGORITHM = "HMAC-SHA256"
SEAL = "content_sha256"


@dataclass(frozen=True, repr=False)
class Keyring:
    """Signing keys by id; the active one signs, all of them verify, so that keys can be rotated."""

    active: str
    secrets: dict[str, str]

    def __repr__(self) -> str:
        """Return key ids alone."""
        return f"Keyring(active={self.active!r}, known={sorted(self.secrets)})"


def canonical(content: Any) -> bytes:
    """Return the one byte form of JSON content: sorted keys, no spaces, no NaN.

    >>> canonical({"b": 1, "a": [True, None]})
    b'{"a":[true,null],"b":1}'
    """
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode()


def sha256(data: bytes) -> str:
    """Return the sha256 of bytes, in hex."""
    return hashlib.sha256(data).hexdigest()


def sign(content: dict[str, Any], keyring: Keyring, kind: str) -> dict[str, Any]:
    """Return the content with its ``kind`` and a ``signature`` over everything else in it.

    The kind keeps apart what one key signs: a candidate's manifest is no version's, and a hint is no log entry.
    """
    unsigned = {key: value for key, value in {**content, "kind": kind}.items() if key != "signature"}
    mac = _mac(unsigned, keyring.secrets[keyring.active])
    return {**unsigned, "signature": {"algorithm": ALGORITHM, "key_id": keyring.active, "mac": mac}}


def verify(data: bytes, keyring: Keyring, what: str, kind: str) -> dict[str, Any]:
    """Return signed JSON content after checking its signature.

    Parameters
    ----------
    data : bytes
        The stored JSON.
    keyring : Keyring
        Every key that is still trusted.
    what : str
        The object's key, for messages.
    kind : str
        What it must have been signed as.

    Raises
    ------
    IntegrityError
        It is not JSON, not signed, signed with an unknown key, altered, or of another kind.
    """
    content = read_json(data, what)
    unsigned = {key: value for key, value in content.items() if key != "signature"}
    secret, mac = _signed_with(content.get("signature"), keyring, what)
    if not _is_mac_of(unsigned, secret, mac):
        raise IntegrityError(
            f"{what}: the signature does not match, so it was altered. Restore the original.", "signature"
        )
    if content.get("kind") != kind:
        raise IntegrityError(
            f"{what} was signed as a {content.get('kind')}, expected a {kind}: it was copied there. Restore it.",
            "identity",
        )
    return content


def _signed_with(signature: Any, keyring: Keyring, what: str) -> tuple[str, str]:
    """Return the secret that a signature names, and its MAC."""
    if not isinstance(signature, dict) or signature.get("algorithm") != ALGORITHM:
        raise IntegrityError(
            f"{what} is not signed ({ALGORITHM} expected). Nothing of it is used; restore the original.", "signature"
        )
    secret = keyring.secrets.get(str(signature.get("key_id")))
    if secret is None:
        raise IntegrityError(
            f"{what} is signed with key {signature.get('key_id')!r}, which Connection `signing` does not know "
            f"(known: {sorted(keyring.secrets)}). Add it to the Connection's extra under `retired`, or restore.",
            "signature",
        )
    return secret, str(signature.get("mac"))


def seal(content: dict[str, Any]) -> bytes:
    """Return content that needs no signature as JSON with its own sha256: a flipped byte must not pass as a finding."""
    return canonical({**content, SEAL: sha256(canonical(content))})


def unseal(data: bytes, what: str) -> dict[str, Any]:
    """Return sealed content; raises IntegrityError, naming the object, if its sha256 does not hold."""
    content = read_json(data, what)
    found = content.pop(SEAL, None)
    try:
        is_whole = found == sha256(canonical(content))
    except (ValueError, RecursionError):  # NaN, half a character or no end of brackets: no content of ours
        is_whole = False
    if not is_whole:
        raise IntegrityError(f"{what}: its own sha256 does not match, so it was altered. Restore the original.", "hash")
    return content


def read_json(data: bytes, what: str) -> dict[str, Any]:
    """Return a JSON object; raises IntegrityError, naming the object, for anything else."""
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise IntegrityError(
            f"{what} is not JSON ({error}); it is torn or altered. Restore the original.", "format"
        ) from None
    if not isinstance(content, dict):
        raise IntegrityError(
            f"{what} holds {type(content).__name__}, expected a JSON object. Restore the original.", "format"
        )
    return content


def check_bytes(found: tuple[str, int], expected: dict[str, Any], what: str) -> None:
    """Raise IntegrityError unless (sha256, size in bytes) are what the manifest says."""
    if found[1] != expected["size_bytes"]:
        raise IntegrityError(
            f"{what} has {found[1]} bytes, its manifest says {expected['size_bytes']}. Restore the original.", "size"
        )
    if not hmac.compare_digest(found[0], expected["sha256"]):
        raise IntegrityError(
            f"{what}: the sha256 is {found[0]}, its manifest says {expected['sha256']}. Restore it.", "hash"
        )


def _is_mac_of(content: dict[str, Any], secret: str, mac: str) -> bool:
    try:
        return hmac.compare_digest(_mac(content, secret).encode(), mac.encode())
    except (ValueError, RecursionError):  # NaN, half a character or no end of brackets: no content of ours
        return False


def _mac(content: dict[str, Any], secret: str) -> str:
    return hmac.new(secret.encode(), canonical(content), hashlib.sha256).hexdigest()
