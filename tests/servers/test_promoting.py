"""Two processes promote at once, again and again: one of them wins each time, and the log is whole."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from threading import Barrier

from include.retraining import connections, s3, signing
from include.retraining.errors import PromotionConflict
from include.retraining.registry import Registry
from tests.retraining.desks import AS_OF, promotion, register
from tests.retraining.toy import DAY

ROUNDS, PATIENCE_S = 200, 60
VERSIONS = ["20240301-000000000001", "20240301-000000000002"]
_gate: list[Barrier] = []


def enter(gate: Barrier) -> None:
    """Keep the gate at which the two processes wait for each other."""
    _gate.append(gate)


def promote_again_and_again(settings: connections.Settings, keyring: signing.Keyring, version: str) -> list[bool]:
    """Promote one version in every round, at the same time as the other process, and return which rounds it won."""
    desk = Registry(s3.open_s3(settings), keyring, "parcels")
    won = []
    for base in range(ROUNDS):
        _gate[0].wait(PATIENCE_S)
        try:
            entry = desk.promote(version, base, AS_OF + base * DAY, promotion(f"{version} in round {base}"))
        except PromotionConflict:
            won.append(False)
        else:
            won.append((entry.number, entry.version) == (base + 1, version))
    return won


def test_two_processes_race_and_every_round_has_one_winner(s3_settings, keyring):
    desk = Registry(s3.open_s3(s3_settings), keyring, "parcels")
    for version in VERSIONS:
        register(desk, version)
    context = get_context("spawn")
    with ProcessPoolExecutor(2, context, enter, (context.Barrier(2),)) as processes:
        asked = [processes.submit(promote_again_and_again, s3_settings, keyring, version) for version in VERSIONS]
        rounds = list(zip(*(one.result() for one in asked), strict=True))
    assert len(rounds) == ROUNDS
    assert all(sum(won) == 1 for won in rounds)
    entries = desk.log()  # checks every link
    assert [entry.number for entry in entries] == list(range(1, ROUNDS + 1))
    assert [entry.version for entry in entries] == [VERSIONS[won.index(True)] for won in rounds]
    assert desk.head() == entries[-1]
