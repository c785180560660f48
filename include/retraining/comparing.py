"""Compares the champion with a challenger, or with the runner-up: each as it served, on intervals it never saw."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from include.retraining import decision, keys, libraries, promotion
from include.retraining.desk import Desk
from include.retraining.errors import DataError, IntegrityError
from include.retraining.promotion import Scored
from include.retraining.promotion_log import Entry

Contender = tuple[str, Scored]
"""A version and what it did."""


def compare(desk: Desk) -> dict[str, Any]:
    """Return the verdict's section: champion and challenger, or runner-up, scored on the same unseen intervals."""
    if desk.section("decision").get("answer") == decision.RUNNER_UP:
        return _with_runner_up(desk)
    from include.retraining import recalibrating, scoring

    challenger, base = desk.section("challenger"), int(desk.inputs.content["base"])
    head = desk.registry.entry(base) if base else None
    if challenger["version"] is None or (head and head.version == challenger["version"]):
        reason = challenger["reason"] if challenger["version"] is None else "The challenger is the champion itself."
        return {**asdict(promotion.Verdict(promotion.LOSE, (reason,))), "challenger": None, "champion": None}
    holdout = scoring.usable(desk.inputs, desk.section("validation"), "holdout")
    rows = scoring.labelled_rows(desk.store, desk.spec, desk.validated, holdout)
    standing, remarks = _standing(desk, head) if head else (None, ())
    if head and standing is None:
        return {**asdict(promotion.Verdict(promotion.INSUFFICIENT, remarks)), "challenger": None, "champion": None}
    served = recalibrating.in_force(desk.registry, desk.spec.name, rows, head.version) if head else {}
    old = scoring.score_contender(standing, rows, desk.spec, served) if head else None
    new = scoring.score_contender(desk.registry.load(challenger["version"]), rows, desk.spec)
    floor = scoring.floor_losses(rows, desk.spec, _floor(challenger))
    asked = _confidence(desk, head)
    verdict = promotion.compare(old, new, floor, desk.spec.promotion, required_holdout(desk), desk.spec.task, asked)
    told = replace(verdict, reasons=(*verdict.reasons, *remarks))
    return _section(told, (head.version, old) if head and old else None, (challenger["version"], new))


def _with_runner_up(desk: Desk) -> dict[str, Any]:
    from include.retraining import runners, scoring

    about, policy = desk.section("evaluation")["runner_up"], desk.spec.promotion
    head = desk.registry.entry(int(desk.inputs.content["base"]))
    if head is None:
        raise IntegrityError("The log entry of the comparison is gone. Run `verify`, then clear the run.", "missing")
    old, new = runners.contenders(desk.registry, desk.spec, desk.validated, head, about)
    rows = scoring.labelled_rows(desk.store, desk.spec, desk.validated, map(keys.parse_span, about["spans"]))
    floor = scoring.floor_losses(rows, desk.spec, _floor(desk.registry.manifest(about["version"])))
    asked = (policy.runner_up_intervals, desk.spec.task, policy.runner_up_confidence)
    return _section(promotion.compare(old, new, floor, policy, *asked), (head.version, old), (about["version"], new))


def _floor(about: Mapping[str, Any]) -> Any:
    """Return what a version has to beat, from its manifest or the section that chose it."""
    return about["floor"] if "floor" in about else about["base_rate"]  # its name in earlier releases


def _section(verdict: promotion.Verdict, old: Contender | None, new: Contender) -> dict[str, Any]:
    sides = {"champion": old, "challenger": new}
    told = {name: one and {"version": one[0], "losses": dict(one[1].losses)} for name, one in sides.items()}
    return {**asdict(verdict), **told}


def _confidence(desk: Desk, head: Entry | None) -> float:
    """Return how sure a win must be: less while the world moves, for then the newer version is likely the better."""
    policy, moving = desk.spec.promotion, desk.section("decision").get("numbers", {}).get("is_moving")
    return policy.moving_confidence if head and moving else policy.confidence


def required_holdout(desk: Desk) -> int:
    """Return how many holdout intervals a verdict needs: all of them, less those that validation refused."""
    refused = desk.section("validation")["refused"]
    left_out = sum(keys.span(one) in refused for one in desk.inputs.intervals("holdout"))
    return max(2, desk.spec.windows.holdout_intervals - left_out)


def _standing(desk: Desk, head: Entry) -> tuple[Any, tuple[str, ...]]:
    """Return the champion's estimator, and what the verdict has to add.

    One that another release of a library wrote is trained again from its manifest: the challenger has to beat it all
    the same. None, where what it was trained on is gone.
    """
    from include.retraining import reproducing

    try:
        return desk.registry.load_live(head), ()
    except IntegrityError as error:
        if error.check != libraries.CHECK:
            raise
    manifest = desk.registry.live_manifest(head)
    about = f"champion {head.version} was written by {libraries.difference(manifest.get('libraries'))}"
    try:
        again = reproducing.train_again(desk.registry, desk.spec, manifest)
    except (DataError, IntegrityError) as error:
        if isinstance(error, IntegrityError) and error.check not in reproducing.LACKING:
            raise
        way_on = "Or install the former where tasks run until a challenger has won."
        return None, (f"Nothing was compared: {about}, and cannot be trained again. {error} {way_on}",)
    return again.estimator, (f"It was held against the same training once more: {about}.",)
