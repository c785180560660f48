"""Two processes promote at once on a real Ceph: one of them wins each time, and the log is whole."""

from tests.retraining.racing import race

ROUNDS = 200


def test_two_processes_race_and_every_round_has_one_winner(s3_settings, keyring):
    print(f"{ROUNDS} races, won by the one and by the other: {race(s3_settings, keyring, ROUNDS)}")
