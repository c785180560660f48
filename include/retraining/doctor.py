"""Looks at a whole installation: the store, the signing key, every spec and the Connections that it needs."""

import secrets
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from include.retraining import connections, keys, privacy, probes, s3_probes, specs
from include.retraining.errors import ConnectionInvalid, SpecError
from include.retraining.probes import FAILED, OK, WARNING, Answer, Diagnosis, Probe, T, look
from include.retraining.spec import ModelSpec


def examine(now: Callable[[], datetime]) -> list[Diagnosis]:
    """Return what every check found; one that fails keeps none of the others from being asked.

    Parameters
    ----------
    now : callable
        This machine's clock.
    """
    found = [*_store(now), look("signing key", _signing, is_required=True)]
    for name, spec in specs.load_all().items():
        found += _spec(name, spec)
    return found


def verdict(found: Sequence[Diagnosis]) -> str:
    """Return the one sentence that counts."""
    failed, warned = ([one.check for one in found if one.state == state] for state in (FAILED, WARNING))
    doubts = f" Warnings: {', '.join(warned)}." if warned else ""
    if not failed:
        return f"Fit for use: none of {len(found)} checks failed.{doubts}"
    return f"Not fit for use: {len(failed)} of {len(found)} checks failed: {', '.join(failed)}.{doubts}"


def _store(now: Callable[[], datetime]) -> Iterator[Diagnosis]:
    """Ask everything of the store, if it answers at all and takes what is written."""
    yield (answers := look("store answers", _reach, is_required=True))
    if answers.state == FAILED:
        return
    store, settings = connections.open_store(), connections.settings(connections.STORE)
    is_server = settings.kind == "aws"
    if is_server:
        yield (encrypted := _ask(s3_probes.ENCRYPTION, settings))
        if encrypted.state == FAILED:
            return
    yield from (_ask(probe, store) for probe in probes.PROBES)
    yield look("clock", lambda: probes.tells_time(store, now()))
    yield look("earlier checks", lambda: probes.clears_up(store))
    yield from (_ask(probe, settings) for probe in s3_probes.PROBES if is_server)


def _ask(probe: Probe[T], what: T) -> Diagnosis:
    return look(probe.check, lambda: probe.ask(what), probe.is_required)


def _reach() -> Answer:
    settings, store = connections.settings(connections.STORE), connections.open_store()
    list(store.list(keys.probe(secrets.token_hex(8))))
    bucket = f"bucket {settings.extra.get('bucket')} at {settings.extra.get('endpoint_url', 'AWS')}"
    return OK, f"Connection `store`: {settings.extra['path'] if settings.kind == 'fs' else bucket}."


def _signing() -> Answer:
    ring = connections.open_keyring()
    return OK, f"Key {ring.active!r} signs; {len(ring.secrets) - 1} retired ones still verify."


def _spec(name: str, spec: ModelSpec | SpecError) -> Iterator[Diagnosis]:
    if isinstance(spec, SpecError):
        yield look(f"spec {name}", lambda: (FAILED, str(spec)))
        return
    yield look(f"spec {name}", lambda: (OK, "It loads; its query and suite are there."))
    besides = f"besides {', '.join(spec.allowed)} (`allowed` in its spec)" if spec.allowed else "nothing besides"
    yield look(f"artifacts of {name}", lambda: (OK, f"They may name what is on the product's own list, {besides}."))
    yield look(f"Connection {spec.source.connection} for {name}", lambda: _connection(spec.source.connection))
    if privacy.needs_secret(spec):
        yield look(f"Connection {connections.PSEUDONYMS} for {name}", _pseudonyms)


def _connection(name: str) -> Answer:
    return OK, f"It is there, of type {connections.settings(name).kind!r}; doctor does not log in."


def _pseudonyms() -> Answer:
    if not connections.settings(connections.PSEUDONYMS).password:
        raise ConnectionInvalid(
            f"Connection `{connections.PSEUDONYMS}` has no password, so anybody could find out whom a pseudonym stands "
            "for. Set one, at random, and keep it."
        )
    return OK, "It is there and holds a secret."
