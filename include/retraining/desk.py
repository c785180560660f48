"""What every step needs at hand: a run's spec, registry, inputs, and what earlier steps found."""

from dataclasses import dataclass
from typing import Any

from include.retraining import connections, records, specs
from include.retraining.records import Inputs
from include.retraining.registry import Registry
from include.retraining.spec import ModelSpec
from include.retraining.store import Store


@dataclass(frozen=True)
class Desk:
    """What every step needs at hand: the spec, the store, the registry, and what the run works on."""

    spec: ModelSpec
    registry: Registry
    inputs: Inputs

    @property
    def validated(self) -> Inputs:
        """What the run works on once validation has spoken: without the rows that were set aside."""
        return records.validated(self.inputs, self.section("validation"))

    @property
    def store(self) -> Store:
        """Where everything lies."""
        return self.registry.store

    def section(self, name: str) -> dict[str, Any]:
        """Return what an earlier step of this run found; empty if it has not spoken."""
        return dict(records.read_sections(self.store, self.inputs.prefix).get(name, {}))

    def write(self, name: str, found: dict[str, Any]) -> None:
        """Add a section to the run's record."""
        records.write_section(self.store, self.inputs.prefix, name, found)


def open_desk(model: str, inputs_key: str) -> Desk:
    """Return the desk of a run that is pinned."""
    spec = specs.load(model)
    registry = connections.open_registry(spec)
    return Desk(spec, registry, records.read_inputs(registry.store, inputs_key))
