"""What must hold of the store after everything was killed: nothing lost, nothing torn, nothing twice."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

from include.retraining import collecting, keys, records, signing, verifying
from include.retraining.findings import REMAINS
from include.retraining.registry import Registry
from include.retraining.spec import ModelSpec
from include.retraining.store import Store, Stored

DAYS_LATER = timedelta(days=3)


class Later:
    """The same store, some days from now: what lies there at this moment is that much older, what comes is young."""

    def __init__(self, store: Store) -> None:
        self.store, self.old = store, {(one.key, one.modified_at) for one in _everything(store, "")}

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    def list(self, prefix: str) -> Iterator[Stored]:
        return map(self._aged, self.store.list(prefix))

    def leftovers(self, prefix: str) -> Iterator[Stored]:
        return map(self._aged, self.store.leftovers(prefix))

    def _aged(self, one: Stored) -> Stored:
        is_old = (one.key, one.modified_at) in self.old
        return replace(one, modified_at=one.modified_at - DAYS_LATER) if is_old else one


def _everything(store: Store, prefix: str) -> Iterator[Stored]:
    yield from store.list(prefix)
    yield from store.leftovers(prefix)


def later(registry: Registry) -> Registry:
    """Return a registry as maintenance finds it some days from now."""
    return Registry(Later(registry.store), registry.keyring, registry.model, registry.allowed)


def check_store(registry: Registry, spec: ModelSpec) -> tuple[int, int]:
    """Verify everything now, and again days later when it is told what crashes left; return how much that was.

    Whatever is left has to be what maintenance deletes: after it has run, nothing is found any more.
    """
    now = verifying.verify(registry, spec.retention)
    assert now.findings == (), verifying.describe(registry.model, now)
    then = later(registry)
    found = verifying.verify(then, spec.retention)
    assert {one.check for one in found.findings} <= {REMAINS}, verifying.describe(registry.model, found)
    done = collecting.collect(then, spec.retention, "chaos", None)
    swept = verifying.verify(then, spec.retention)
    assert (swept.findings, swept.unfinished) == ((), 0), verifying.describe(registry.model, swept)
    return now.unfinished, len(done.deleted)


def check_log(registry: Registry, runs: list[str]) -> None:
    """Check that each run moved the champion exactly once, in order, and that every version loads."""
    log, folders = registry.log(), folders_of(registry)
    assert [entry.content["run"] for entry in log] == [folders[run] for run in runs]
    assert [entry.number for entry in log] == list(range(1, len(runs) + 1))
    assert len({entry.content["nonce"] for entry in log}) == len(log)
    assert sorted(entry.version for entry in log) == registry.versions()
    assert registry.head() == log[-1]
    for entry in log:
        assert hasattr(registry.load_live(entry), "predict_proba")


def check_records(registry: Registry, runs: list[str]) -> None:
    """Check that each run's record is complete, and that none of its stages says other than a later one."""
    folders = folders_of(registry)
    for number, run in enumerate(runs, 1):
        stages = list(_stages(registry, folders[run]))
        last = stages[-1]
        assert set(last) == set(records.ORDER), f"{run}: {sorted(last)}"
        for stage in stages:
            assert {name: last[name] for name in stage} == stage, f"{run}: two records disagree"
        assert last["promotion"]["entry"] == number
        assert (last["report"]["answer"], last["report"]["failed"]) == ("retrain", [])
        assert last["report"]["champion"] == last["challenger"]["version"] == registry.entry(number).version


def _stages(registry: Registry, folder: str) -> Iterator[dict[str, Any]]:
    """Yield each record of a run, lowest first; none may be missing in between."""
    found = {one.key for one in registry.store.list(folder)} - {f"{folder}inputs.json"}
    numbered = [keys.record(folder, number) for number in range(1, len(found) + 1)]
    assert set(numbered) == found
    for key in numbered:
        yield signing.unseal(registry.store.get(key), key)["sections"]


def folders_of(registry: Registry) -> dict[str, str]:
    """Return the folder of each run that is pinned, by its id."""
    listed = [one.key for one in registry.store.list(keys.runs(registry.model)) if one.key.endswith("/inputs.json")]
    found = [records.read_inputs(registry.store, key) for key in listed]
    assert len({one.run_id for one in found}) == len(found), "a run is pinned twice"
    return {one.run_id: one.prefix for one in found}
