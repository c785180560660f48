"""How many requests the registry makes: for a promotion, and to find the champion in a long log."""

import time
from datetime import UTC, datetime
from pathlib import Path

from bench.counting import Counting, bucket, table
from demo import services
from include.retraining import keys, signing
from include.retraining.folder import open_folder
from include.retraining.promotion_log import ENTRY, FORMAT_VERSION
from include.retraining.registry import Registry
from include.retraining.store import Store
from tests.retraining import desks

KEYRING = signing.Keyring("key-1", {"key-1": "b" * 64})
AS_OF = datetime(2024, 2, 1, tzinfo=UTC)
LENGTHS = (1, 100, 10_000)
READS = 20


def report(folder: Path, server: services.S3) -> None:
    """Print store calls per promotion, and requests and time to find the champion."""
    counted = Counting(open_folder(folder))
    registry = Registry(counted, KEYRING, "bench")  # type: ignore[arg-type]
    rows = [["step", "put if absent", "put", "get", "fetch", "list", "delete", "clock", "in all"]]
    verbs = ("put_if_absent", "put", "get", "fetch", "list", "delete", "now")
    for number in range(2):
        version = f"20240201-{number:012d}"
        for step, act in (
            ("register", lambda version=version: desks.register(registry, version)),
            ("promote", lambda version=version, base=number: _promote(registry, version, base)),
        ):
            counted.calls.clear()
            act()
            made = [counted.calls[verb] for verb in verbs]
            rows.append([f"{step}, {'first' if number == 0 else 'later'} version", *map(str, made), str(sum(made))])
    table("Store calls of a registration and a promotion", rows)
    _find_champion(folder.with_name("long"), server)


def _promote(registry: Registry, version: str, base: int) -> None:
    registry.promote(version, base, AS_OF, desks.promotion(version))


def _find_champion(folder: Path, server: services.S3) -> None:
    stores: dict[str, Store] = {"folder": open_folder(folder), "S3": bucket(server)}
    rows = [["log entries", "hint", "requests", "of them LIST", "folder ms", "S3 ms"]]
    written = 0
    previous: dict[str, str | None] = dict.fromkeys(stores)
    for length in LENGTHS:
        for name, store in stores.items():
            previous[name] = _lengthen(store, written, length, previous[name])
        written = length
        rows += [[str(length), told, *_measured(stores, length, told == "yes")] for told in ("yes", "no")]
    table("Finding the champion", rows)


def _lengthen(store: Store, start: int, end: int, previous: str | None) -> str | None:
    for number in range(start + 1, end + 1):
        content = {
            "format_version": FORMAT_VERSION,
            "model": "long",
            "number": number,
            "version": f"20240201-{number:012d}",
            "previous_version": None,
            "previous_sha256": previous,
            "manifest_sha256": "0" * 64,
            "effective_from": keys.stamp(AS_OF),
            **desks.promotion(str(number)),
            "action": "promote",
        }
        data = signing.canonical(signing.sign(content, KEYRING, ENTRY))
        store.put(keys.promotion("long", number), data)
        previous = signing.sha256(data)
    return previous


def _measured(stores: dict[str, Store], length: int, has_hint: bool) -> list[str]:
    calls: list[str] = []
    times: list[str] = []
    for store in stores.values():
        counted = Counting(store)
        registry = Registry(counted, KEYRING, "long")  # type: ignore[arg-type]
        store.delete(keys.champion_hint("long"))
        if has_hint:
            registry.mend_hint(registry.standing(length))  # type: ignore[arg-type]
        counted.calls.clear()
        started = time.perf_counter()
        for _ in range(READS):
            head = registry.head()
            assert head is not None
            assert head.number == length
        times.append(f"{(time.perf_counter() - started) / READS * 1e3:.1f}")
        calls = [f"{sum(counted.calls.values()) / READS:.0f}", str(counted.calls["list"])]
    return [*calls, *times]
