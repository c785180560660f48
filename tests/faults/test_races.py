"""Two real processes promote at once, on each kind of store: one winner a round, no lost entry, the chain intact."""

import pytest

from include.retraining import connections
from tests.faults.matrix import Matrix
from tests.retraining.racing import race

ROUNDS = 200


@pytest.mark.parametrize("kind", ["folder", "S3"])
def test_of_two_promotions_at_once_exactly_one_wins_two_hundred_times(kind, request, tmp_path, keyring):
    if kind == "folder":
        settings = connections.Settings("store", "fs", extra={"path": str(tmp_path / "store")})
    else:
        settings = request.getfixturevalue("s3_settings")
    first, second = race(settings, keyring, ROUNDS)
    matrix = Matrix(kind)
    matrix.facts[f"races, won {first} to {second}"] = ROUNDS
    matrix.leave(f"races-{kind}")
