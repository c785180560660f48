"""The promise, in the short: a machine of people, tasks and faults; `make test-faults` goes on for much longer."""

from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.retraining.promise import CALM, Promise

SHORT = settings(CALM, max_examples=15, stateful_step_count=20, derandomize=True)


def test_whatever_happens_the_promise_is_kept():
    run_state_machine_as_test(Promise, settings=SHORT)
