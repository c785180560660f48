"""Whatever befalls one call to the disk, running the step again is enough: nothing lost, nothing torn, nobody asked."""

from collections import Counter
from collections.abc import Iterator

import pytest

from include.retraining.folder import open_folder
from tests.faults import folders, sequence
from tests.faults.matrix import Matrix
from tests.retraining.disk import POSSIBLE

VARIATIONS = {"late apply": 2, "flipped": 2}
"""How many calls later it lands (1 and 16), and which byte is another."""
OF_A_PROBE = 3
"""Proving a new store takes hundreds of like calls by eight threads: so many of each kind are struck."""


@pytest.fixture(scope="module", autouse=True)
def memory() -> Iterator[None]:
    with sequence.remembered():
        yield


@pytest.fixture(scope="module")
def room() -> Iterator[folders.Room]:
    made = folders.Room()
    yield made
    made.close()


@pytest.fixture(scope="module")
def rehearsed(room):
    """Return each variant's run, rehearsed once."""
    runs = {}

    def run_of(variant: str) -> sequence.Run:
        if variant not in runs:
            runs[variant] = sequence.rehearse(variant, open_folder(room.folder / f"rehearsal-{len(runs)}"))
        return runs[variant]

    return run_of


def sites(calls: list[folders.Hit]) -> Iterator[folders.Site]:
    """Yield the calls to strike: all of them, and of the many like ones of a probe a few."""
    seen: Counter[folders.Hit] = Counter()
    for call in calls:
        if "probe" not in call[1] or seen[call] < OF_A_PROBE:
            yield call, seen[call]
        seen[call] += 1


CASES = [
    (variant, step)
    for variant in sequence.VARIANTS
    for step in range(4 if variant == sequence.VARIANTS[3] else 0, len(sequence.STEPS))
]


@pytest.mark.parametrize(("variant", "step"), CASES, ids=lambda one: str(one).replace(" ", "-"))
def test_after_any_fault_the_step_is_run_again_and_all_is_well(room, rehearsed, variant, step):
    run, matrix, wrong = rehearsed(variant), Matrix("folder"), []
    calls = folders.calls_of(room, run, step)
    for site in sites(calls):
        for fault in POSSIBLE[site[0][0]]:
            for variation in range(VARIATIONS.get(fault, 1)):
                with sequence.proven("probe" not in site[0][1]):
                    hit, found = folders.inject(room, run, step, site, fault, variation)
                if hit is not None and fault in POSSIBLE[hit[0]]:
                    matrix.add((sequence.STEPS[step].split()[0], *hit), fault)
                wrong += [f"call {site}, {fault} {variation}: {one}" for one in found]
    print(f"{sum(matrix.counts.values())} injections in {len(calls)} calls")
    assert not wrong, f"{len(wrong)} injections: " + "\n".join(wrong[:40])
    assert not matrix.empty_cells(POSSIBLE)
    matrix.leave(f"folder-{variant}-{step}".replace(" ", "-"))


def test_whenever_somebody_else_promotes_exactly_one_of_the_two_counts(room, rehearsed):
    """At every call of our promotion, and after every fault in it before it is tried again."""
    run, matrix, wrong, won = rehearsed(sequence.VARIANTS[1]), Matrix("folder"), [], Counter()
    calls = folders.calls_of(room, run, len(sequence.STEPS) - 1)
    for site in sites(calls):
        for fault in (None, *POSSIBLE[site[0][0]]):
            _, is_ours, found = folders.overtaken(room, run, site, fault)
            won[is_ours] += 1
            wrong += [f"call {site}, {fault}: {one}" for one in found]
    assert not wrong, f"{len(wrong)} races: " + "\n".join(wrong[:40])
    assert min(won[True], won[False]) > len(calls) // 4
    matrix.facts["promotions overtaken at a call, or between a fault and the next try"] = sum(won.values())
    matrix.leave("folder-overtaken")
