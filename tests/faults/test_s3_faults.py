"""Whatever befalls one request to a real S3 server, running the step again is enough."""

import contextlib
from collections.abc import Iterator

import botocore.retries.standard
import pytest

from include.retraining import s3
from include.retraining.folder import open_folder
from tests.faults import buckets, sequence, wire
from tests.faults.matrix import Matrix

LATE_AFTER = 3
SPREAD = {"put if absent": 3}
"""How many calls of one kind are struck in one step: the first, and of what decides also later ones."""


@pytest.fixture(scope="module", autouse=True)
def memory() -> Iterator[None]:
    """Remember pure functions, and wait for nothing between tries."""
    with sequence.remembered(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(s3, "BACKOFF_S", 0)
        patch.setattr(botocore.retries.standard.ExponentialBackoff, "delay_amount", lambda *_: 0)
        yield


@pytest.fixture(scope="module")
def port(s3_server) -> Iterator[int]:
    with wire.proxy(s3_server.port) as port:
        yield port


CASES = [
    (variant, step)
    for variant in sequence.VARIANTS
    for step in range(4 if variant == sequence.VARIANTS[3] else 0, len(sequence.STEPS))
]


@pytest.fixture
def bucket(port, s3_settings) -> Iterator[buckets.Bucket]:
    with contextlib.closing(buckets.Bucket(s3_settings, port)) as bucket:
        yield bucket


@pytest.mark.parametrize(("variant", "step"), CASES, ids=lambda one: str(one).replace(" ", "-"))
def test_after_any_fault_the_step_is_run_again_and_all_is_well(bucket, tmp_path, variant, step):
    run = sequence.rehearse(variant, open_folder(tmp_path))
    matrix, wrong = Matrix("S3"), []
    calls, struck = buckets.calls_of(bucket, run, step), []
    for call, here in enumerate(calls):
        struck.append(here)
        if struck.count(here) > SPREAD.get(here[0], 1):
            continue
        is_proven = "probe" not in here[1]
        number = sum("probe" not in one[1] for one in calls[:call]) if is_proven else call
        for fault in wire.POSSIBLE[here[0]]:
            with sequence.proven(is_proven):
                hit, found = buckets.inject(bucket, run, step, number, fault, LATE_AFTER)
            if hit is not None and fault in wire.POSSIBLE[hit[0]]:
                matrix.add((sequence.STEPS[step].split()[0], *hit), fault)
            wrong += [f"request {call} {hit}, {fault}: {one}" for one in found]
    print(f"{sum(matrix.counts.values())} injections in {len(calls)} requests")
    assert not wrong, f"{len(wrong)} injections: " + "\n".join(wrong[:40])
    assert not matrix.empty_cells(wire.POSSIBLE)
    matrix.leave(f"s3-{variant}-{step}".replace(" ", "-"))
