"""The promise over many long random histories; `tests/test_promise.py` runs the same machine for seconds."""

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.faults.matrix import Matrix
from tests.retraining.promise import Promise

EXAMPLES, STEPS, PARTS = 1_000, 24, 4


@pytest.mark.parametrize("part", range(PARTS))
def test_whatever_happens_the_promise_is_kept(part):
    """In parts, so that processes share them; each draws histories of its own."""
    asked = settings(max_examples=EXAMPLES // PARTS, stateful_step_count=STEPS, deadline=None)
    run_state_machine_as_test(Promise, settings=asked)
    matrix = Matrix("folder")
    matrix.facts[f"random histories of up to {STEPS} steps"] = EXAMPLES // PARTS
    matrix.leave(f"histories-{part}")
