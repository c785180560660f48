"""The assets that other teams schedule on, each defined once: of two definitions of a name the last parsed wins."""

from typing import Any

from airflow.sdk import Asset, AssetAlias

ROLLED_BACK = AssetAlias(name="rolled_back_champion", group="champion")
"""Stands for the champion that a rollback moves: which model's is known only when the form is sent."""


def snapshot(model: str) -> Asset:
    """Return the asset of a model's snapshots: fresh rows have been frozen."""
    return Asset(name=f"{model}_snapshot", uri=f"retraining://{model}/snapshots", group="snapshot")


def champion(model: str) -> Asset:
    """Return the asset of a model's champion: schedule on it to score with each new version."""
    return Asset(name=f"{model}_champion", uri=f"retraining://{model}/champion", group="champion")


def predictions(model: str) -> Asset:
    """Return the asset of a model's predictions: the champion has scored an interval."""
    return Asset(name=f"{model}_predictions", uri=f"retraining://{model}/predictions", group="predictions")


def announce_snapshot(events: Any, model: str, inputs: dict[str, Any]) -> None:
    """Attach to the event which interval was frozen, and how many rows."""
    if events is not None:
        events[snapshot(model)].extra = {"interval": inputs["interval"]["span"], "rows": inputs["rows"]}


def announce_predictions(events: Any, model: str, done: dict[str, Any]) -> None:
    """Attach to the event where the predictions lie, of which interval and by which version."""
    if events is not None:
        events[predictions(model)].extra = {name: done[name] for name in ("key", "interval", "version", "rows")}


def announce_champion(events: Any, model: str, promoted: dict[str, Any]) -> None:
    """Attach to the event the version and the numbers that its verdict compared."""
    if events is not None:
        gain = promoted["numbers"].get("gain") or promoted["numbers"]["gain_over_floor"]
        events[champion(model)].extra = {
            "version": promoted["version"],
            "entry": promoted["entry"],
            "gain": gain["mean"],
        }


def announce_rollback(events: Any, model: str, version: str, entry: int) -> None:
    """Attach an event to the champion that was moved back: its version, and the entry of the promotion log."""
    if events is not None:
        events[ROLLED_BACK].add(champion(model), extra={"version": version, "entry": entry, "action": "rollback"})
