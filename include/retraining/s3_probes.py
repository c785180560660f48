"""Proves what only a server can get wrong: who may come in, lost answers, altered bytes, versioning and encryption."""

import base64
import contextlib
import hashlib
import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from include.retraining import encryption
from include.retraining.errors import CredentialsError, RetrainingError
from include.retraining.probes import FAILED, OK, WARNING, Answer, Probe, held_by, keeps_the_first, taken
from include.retraining.s3 import open_s3

if TYPE_CHECKING:
    from include.retraining.connections import Settings

OTHER_MD5 = base64.b64encode(hashlib.md5(b"other", usedforsecurity=False).digest()).decode()
CLOSE = "Close it to them: the bucket's policy or access list, or the server's own settings."


def settles_a_lost_answer(settings: "Settings") -> Answer:
    """Lose the answer to conditional writes that were applied: one that won and one that lost."""
    owner = open_s3(settings)
    with taken(owner, "won", "lost") as (won, lost):
        owner.put(lost, b"theirs")
        forgetful = open_s3(settings, _losing(won, lost))
        has_won, has_lost = forgetful.put_if_absent(won, b"ours"), not forgetful.put_if_absent(lost, b"ours")
        if has_won and has_lost and (held_by(owner, won), held_by(owner, lost)) == (b"ours", b"theirs"):
            return OK, "A write whose answer was lost is settled by reading back, whether it won or lost."
    return FAILED, "A write whose answer was lost is told wrongly. Use another store, and look for a cache before it."


def refuses_altered_bytes(settings: "Settings") -> Answer:
    """Send bytes that are not what their Content-MD5 says."""
    owner = open_s3(settings)
    with taken(owner) as (key,):
        with contextlib.suppress(RetrainingError):
            open_s3(settings, _altering(key)).put(key, b"ours")
        if held_by(owner, key) is None:
            return OK, "Bytes that are not what their Content-MD5 says are refused."
    return WARNING, (
        "Bytes that are not what their Content-MD5 says are stored, so a byte that flips on its way is found only by "
        "our own sha256, when it is read. Nothing altered is ever used; a newer server may find it earlier."
    )


def refuses_anonymous_reads(settings: "Settings") -> Answer:
    """Read and list without a signature."""
    owner, anybody = open_s3(settings), open_s3(settings, _unsigned)
    with taken(owner) as (key,):
        owner.put(key, b"ours")
        state, told = _refused(lambda: anybody.get(key), "read without a signature")
        return (state, told) if state != OK else _refused(lambda: [*anybody.list(key)], "read or list unsigned")


def refuses_anonymous_writes(settings: "Settings") -> Answer:
    """Write without a signature."""
    owner, anybody = open_s3(settings), open_s3(_without_encryption(settings), _unsigned)
    with taken(owner) as (key,):
        return _refused(lambda: anybody.put(key, b"theirs"), "write without a signature")


def refuses_a_wrong_secret(settings: "Settings") -> Answer:
    """Read with the right name and a made-up secret."""
    owner = open_s3(settings)
    login = settings.login or secrets.token_hex(10)
    stranger = open_s3(replace(settings, login=login, password=secrets.token_hex(20)))
    with taken(owner) as (key,):
        owner.put(key, b"ours")
        return _refused(lambda: stranger.get(key), "read with a wrong secret")


def keeps_the_first_of_versions(settings: "Settings") -> Answer:
    """Ask whether the bucket is versioned, where some servers ignore the condition."""
    store = open_s3(settings)
    try:
        is_versioned = store.keeps_old_objects()
    except RetrainingError as error:
        return WARNING, f"The server does not say whether the bucket is versioned: {error}"
    if not is_versioned:
        return OK, "The bucket is not versioned: what is deleted is gone."
    if keeps_the_first(store)[0] == FAILED:
        return FAILED, (
            "The bucket is versioned, and there the server ignores If-None-Match, so promotions could be lost. "
            "Use a bucket that never was versioned."
        )
    return WARNING, (
        "The bucket is versioned. Conditional writes hold there, but what is deleted stays as an old version: add a "
        "lifecycle rule that expires those."
    )


def confirms_encryption(settings: "Settings") -> Answer:
    """Write one object as the Connection asks, and see whether the server says that it lies encrypted."""
    asked = encryption.from_extra(settings.extra)
    store = open_s3(settings)
    with taken(store) as (key,):
        store.put(key, b"ours")
    if asked.mode == encryption.NONE:
        return OK, "Not asked for: objects lie as the server keeps them. `encryption` in the extra asks for it."
    return OK, f"Asked for, and confirmed by the server for every write: {asked.mode} {asked.kms_key_id}".strip() + "."


ENCRYPTION: "Probe[Settings]" = Probe("encryption", confirms_encryption, is_required=True)
"""Asked first: without it every write is refused, and nothing else can be asked."""
PROBES: "tuple[Probe[Settings], ...]" = (
    Probe("lost answer", settles_a_lost_answer),
    Probe("versioning", keeps_the_first_of_versions),
    Probe("wrong Content-MD5", refuses_altered_bytes),
    Probe("anonymous read", refuses_anonymous_reads),
    Probe("anonymous write", refuses_anonymous_writes),
    Probe("wrong secret", refuses_a_wrong_secret),
)
"""What is asked of a server besides."""


def _refused(touch: Callable[[], object], what: str) -> Answer:
    try:
        touch()
    except CredentialsError:
        return OK, f"Nobody can {what}."
    except RetrainingError as error:
        return WARNING, f"Who tries to {what} is neither let in nor refused: {error}"
    return FAILED, f"Anybody who reaches the server can {what}. {CLOSE}"


def _without_encryption(settings: "Settings") -> "Settings":
    asked = {"encryption", "kms_key_id"}
    return replace(settings, extra={name: value for name, value in settings.extra.items() if name not in asked})


def _losing(*lost: str) -> Callable[[Any], Any]:
    """Return what makes a client lose the answers to its writes of some keys."""
    from botocore.exceptions import ConnectionClosedError

    def lose(http_response: Any, **_: Any) -> None:
        if http_response.url.endswith(lost):
            raise ConnectionClosedError(endpoint_url=http_response.url)

    return _with("after-call.s3.PutObject", lose)


def _altering(key: str) -> Callable[[Any], Any]:
    """Return what makes a client give a wrong checksum for one key."""

    def alter(params: dict[str, Any], **_: Any) -> None:
        if params["Key"] == key:
            params["ContentMD5"] = OTHER_MD5

    return _with("before-parameter-build.s3.PutObject", alter)


def _unsigned(client: Any) -> Any:
    """Return a client that signs nothing."""
    from botocore.handlers import disable_signing

    return _with("choose-signer.s3", disable_signing)(client)


def _with(event: str, handler: Callable[..., Any]) -> Callable[[Any], Any]:
    def altered(client: Any) -> Any:
        client.meta.events.register(event, handler)
        return client

    return altered
