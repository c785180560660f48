"""Processes or threads promote at once, again and again: one of them wins each time, and the log is whole."""

from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from threading import Barrier

from include.retraining import connections, s3, signing
from include.retraining.errors import PromotionConflict
from include.retraining.folder import open_folder
from include.retraining.registry import Registry
from tests.retraining.desks import AS_OF, promotion, register
from tests.retraining.toy import DAY

PATIENCE_S = 60
VERSIONS = [f"20240301-{number:012d}" for number in range(1, 9)]
_gate: list[Barrier] = []


def desk_at(settings: connections.Settings, keyring: signing.Keyring) -> Registry:
    """Return the registry in the store that a Connection names, a folder or a bucket."""
    store = open_folder(Path(settings.need("path"))) if settings.kind == "fs" else s3.open_s3(settings)
    return Registry(store, keyring, "parcels")


def enter(gate: Barrier) -> None:
    """Keep the gate at which the two processes wait for each other."""
    _gate[:] = [gate]


def promote_again_and_again(
    settings: connections.Settings, keyring: signing.Keyring, version: str, rounds: int
) -> list[bool]:
    """Promote one version in every round, at the same time as the others, and return which rounds it won."""
    desk, won = desk_at(settings, keyring), []
    for base in range(rounds):
        _gate[0].wait(PATIENCE_S)
        try:
            entry = desk.promote(version, base, AS_OF + base * DAY, promotion(f"{version} in round {base}"))
        except PromotionConflict:
            won.append(False)
        else:
            won.append((entry.number, entry.version) == (base + 1, version))
    return won


def race(settings: connections.Settings, keyring: signing.Keyring, rounds: int) -> list[int]:
    """Let two real processes race, check every round and the whole log, and return how often each of them won."""
    context = get_context("spawn")
    return _race(settings, keyring, rounds, ProcessPoolExecutor(2, context, enter, (context.Barrier(2),)), 2)


def race_threads(settings: connections.Settings, keyring: signing.Keyring, rounds: int) -> list[int]:
    """Let eight threads race, check every round and the whole log, and return how often each of them won."""
    enter(Barrier(len(VERSIONS)))
    return _race(settings, keyring, rounds, ThreadPoolExecutor(len(VERSIONS)), len(VERSIONS))


def _race(
    settings: connections.Settings, keyring: signing.Keyring, rounds: int, executor: Executor, racers: int
) -> list[int]:
    desk, versions = desk_at(settings, keyring), VERSIONS[:racers]
    for version in versions:
        register(desk, version)
    with executor:
        asked = [executor.submit(promote_again_and_again, settings, keyring, one, rounds) for one in versions]
        won = list(zip(*(one.result() for one in asked), strict=True))
    assert len(won) == rounds
    assert all(sum(one) == 1 for one in won)
    entries = desk.log()  # checks every link
    assert [entry.number for entry in entries] == list(range(1, rounds + 1))
    assert [entry.version for entry in entries] == [versions[one.index(True)] for one in won]
    assert desk.head() == entries[-1]
    return [sum(one[place] for one in won) for place in range(racers)]
