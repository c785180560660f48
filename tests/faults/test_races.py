"""Two real processes, or eight threads, promote at once: one winner a round, no lost entry, the chain intact."""

import pytest

from include.retraining import connections
from tests.faults.matrix import Matrix
from tests.retraining.racing import race, race_threads

ROUNDS = 200
KINDS = ["folder", "S3"]


@pytest.fixture
def settings(kind, request, tmp_path) -> connections.Settings:
    """Return the Connection of a new store of a kind."""
    if kind == "folder":
        return connections.Settings("store", "fs", extra={"path": str(tmp_path / "store")})
    return request.getfixturevalue("s3_settings")


@pytest.mark.parametrize("kind", KINDS)
def test_of_two_promotions_at_once_exactly_one_wins_two_hundred_times(kind, settings, keyring):
    first, second = race(settings, keyring, ROUNDS)
    leave(kind, f"races of 2 processes, won {first} to {second}", ROUNDS)


@pytest.mark.parametrize("kind", KINDS)
def test_of_eight_promotions_at_once_exactly_one_wins(kind, settings, keyring):
    won = race_threads(settings, keyring, ROUNDS // 4)
    leave(kind, f"races of {len(won)} threads", ROUNDS // 4)


def leave(kind: str, fact: str, count: int) -> None:
    matrix = Matrix(kind)
    matrix.facts[fact] = count
    matrix.leave(f"races-{kind}-{count}")
