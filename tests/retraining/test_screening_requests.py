"""A validation and its page ask the store as often with a thousand stored runs as with one."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from bench.counting import Counting
from include.retraining import keys, screening
from include.retraining.registry import Registry
from include.retraining.store import Store
from include.retraining.windows import Interval
from tests.retraining import toy

pytestmark = [pytest.mark.door, pytest.mark.filterwarnings("ignore:module 'sre_:DeprecationWarning")]
SPEC = toy.spec()
STORED = (1, 100, 1000)


def validate_fresh_rows(store: Store, keyring, seed: int, measure: Callable[[Store], Registry]) -> dict:
    """Validate a run's window of rows that nobody has validated yet, counted from here on."""
    frames = [toy.rows(number, seed=seed) for number in range(6)]
    inputs = toy.pin(store, keyring, SPEC, frames, run=f"manual__{seed}")
    return screening.screen(measure(store), SPEC, inputs)


def keep_runs(store: Store, section: dict, start: int, end: int) -> None:
    """Store runs of earlier days: copies, under their own keys, of what one run has written."""
    page, result = store.get(section["page"]), store.get(section["key"])

    def keep(number: int) -> None:
        day = toy.day(-1 - number)
        store.put(keys.data_docs_page(SPEC.name, day, "a" * 64, "b" * 64), page)
        store.put(keys.validation(SPEC.name, day, "a" * 64, "b" * 64), result)
        store.put(keys.record(run_of(day), 1), result)

    with ThreadPoolExecutor(8) as writers:
        list(writers.map(keep, range(start, end)))


def run_of(day: Interval) -> str:
    return keys.run(SPEC.name, day, "scheduled__1")


def test_a_folder_is_asked_as_often_whatever_it_holds(store, keyring):
    counted = Counting(store)
    asked, kept = [], 0
    for seed, many in enumerate(STORED):
        keep_runs(
            store, validate_fresh_rows(store, keyring, 100 + seed, lambda one: registry(one, keyring)), kept, many
        )
        kept = many
        counted.calls.clear()
        validate_fresh_rows(store, keyring, seed, lambda _: registry(counted, keyring))
        asked.append(dict(counted.calls))
    assert asked[0] == asked[1] == asked[2]
    assert asked[0] == {"get": 32, "put": 22, "put_if_absent": 11, "list": 11, "delete": 11}, (
        "6 snapshots and 5 labels: a result, a page and a hold each; rows, what they are compared with, no older result"
    )


def registry(store: Store | Counting, keyring) -> Registry:
    return Registry(store, keyring, SPEC.name)


@pytest.mark.long
def test_an_s3_server_gets_as_many_requests_whatever_it_holds(proxied, keyring):
    store, server = proxied
    asked, kept = [], 0

    def counted(one: Store) -> Registry:
        server.seen.clear()
        return registry(one, keyring)

    for seed, many in enumerate(STORED):
        keep_runs(store, validate_fresh_rows(store, keyring, 100 + seed, counted), kept, many)
        kept = many
        validate_fresh_rows(store, keyring, seed, counted)
        asked.append(Counter(server.seen))
    assert asked[0] == asked[1] == asked[2]
    assert asked[0] == {"GET": 43, "PUT": 33, "DELETE": 11}, "the folder's calls, one request each"
