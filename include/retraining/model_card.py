"""Pure: a version's model card, in Markdown: what it is for, what it saw and how it was chosen."""

from typing import Any

from include.retraining import judging
from include.retraining.phrases import visible
from include.retraining.spec import ModelSpec


def render(spec: ModelSpec, version: str, about: dict[str, Any]) -> str:
    """Return the card of one version.

    Parameters
    ----------
    spec : ModelSpec
        Gives purpose, owner and label.
    version : str
    about : dict
        What the manifest will say of the training.
    """
    parts = (_training(spec, about), _decision(about), _features(about), _drift(about))
    return "\n".join([f"# {spec.name} {version}", "", spec.purpose, "", *(line for part in parts for line in part)])


def _training(spec: ModelSpec, about: dict[str, Any]) -> list[str]:
    window, choice, judged = about["training_window"], about["selection"], judging.of(spec.task)
    name, floor = judged.words, f"{judged.floor} alone {judged.told(choice['floor_loss'])}"
    return [
        f"- **Owner:** {spec.owner}",
        f"- **Label:** `{spec.label}`, known {spec.label_delay} after an interval's end",
        f"- **Candidate:** {about['candidate']}. {choice['reason']}",
        f"- **Trained on:** {about['rows']} rows of {len(about['intervals'])} intervals, "
        f"{window['start']} to {window['end']}, end excluded; {judged.floor} {_floor(about)}",
        f"- **{name.capitalize()} over temporal folds:** {_losses(choice['losses'], judged)}; {floor}",
        "",
    ]


def _decision(about: dict[str, Any]) -> list[str]:
    """Return why it was trained, question by question; manifests of earlier releases do not say."""
    found = about.get("decision")
    if not found:
        return []
    return [
        "## Why it was trained",
        "",
        found["sentences"][0],
        "",
        "| question | found | answer |",
        "|---|---|---|",
        *(f"| {one['question']} | {one['found']} | {one['answer']} |" for one in found["path"]),
        "",
        *(f"Would have changed it: {one}" for one in found["would_change"]),
        "",
    ]


def _features(about: dict[str, Any]) -> list[str]:
    treated = about["treatment"]
    missing = sorted(about["missing_shares"].items(), key=lambda one: -one[1])
    return [
        "## Features",
        "",
        f"{len(about['features'])} kept: {', '.join(about['features'])}.",
        f"Dropped because no training row had a value: {', '.join(treated['dropped']) or 'none'}.",
        *_constant(about),
        "",
        *_importance(about),
        "## Missing values and outliers",
        "",
        "Numbers are clipped to the limits below, learned from training rows; missing ones become the median, with a "
        "column that says so. Categories that training did not know are treated as rare ones.",
        "",
        "| feature | lower limit | median | upper limit |",
        "|---|---|---|---|",
        *_limits(treated),
        "",
        "Largest missing shares in training: " + ", ".join(f"{name} {share:.1%}" for name, share in missing[:5]) + ".",
        "",
        "## Libraries",
        "",
        ", ".join(f"{name} {found}" for name, found in about["libraries"].items()),
        "",
    ]


def _constant(about: dict[str, Any]) -> list[str]:
    constant, told = about.get("constant"), "The same in every training row, so nothing was learned from it:"
    return [f"{told} {', '.join(constant)}."] if constant else []


def _importance(about: dict[str, Any]) -> list[str]:
    """Return which features were kept and dropped by their importance, where the spec asks for a selection."""
    selected = about.get("importance")
    if selected is None:
        return []
    rows = [(name, one, part) for part in ("kept", "dropped") for name, one in selected[part].items()]
    return [
        "## Importance of features",
        "",
        "By how much the loss of an interval grows without the feature, over the intervals that folds are judged on. "
        "What is not above zero by its upper bound was free to leave out.",
        "",
        "| feature | growth of the loss | upper bound | |",
        "|---|---|---|---|",
        *(f"| {name} | {_number(one['mean'])} | {_number(one['high'])} | {part} |" for name, one, part in rows),
        "",
    ]


def _drift(about: dict[str, Any]) -> list[str]:
    found = about.get("drift")
    if not found:
        return []
    days = f"; a {', '.join(found['weekdays'])} with those of the same day" if found["weekdays"] else ""
    return [
        "## Drift",
        "",
        f"Every feature, its missing share and the version's predictions are compared with {found['intervals']} "
        f"training intervals of about {found['rows']:.0f} rows{days}. Limits are what these showed themselves.",
        "",
    ]


def _number(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.4g}"


def _floor(about: dict[str, Any]) -> str:
    floor = about.get("floor", about.get("base_rate"))  # its name in earlier releases
    if not isinstance(floor, dict):
        return f"{floor:.4f}"
    return ", ".join(f"{visible(name)} {share:.1%}" for name, share in floor.items())


def _losses(losses: dict[str, float], judged: judging.Loss) -> str:
    return ", ".join(f"{name} {judged.told(loss)}" for name, loss in losses.items())


def _limits(treated: dict[str, Any]) -> list[str]:
    columns = zip(treated["kept"], treated["low"], treated["medians"], treated["high"], strict=True)
    return [f"| {name} | {low:g} | {median:g} | {high:g} |" for name, low, median, high in columns]
