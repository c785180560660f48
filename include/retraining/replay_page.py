"""A replay as one self-contained page: it asks nobody for anything, runs no script, and each value is dead text."""

import base64
import hashlib
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from include.retraining import judging, keys, phrases, replay_drawing, replay_report
from include.retraining.ui import templating

if TYPE_CHECKING:
    from jinja2 import Template

STYLES = ("palette.css", "replay.css")
TOLD = 60
"""So many fits of a policy are listed; the JSON beside the page has all."""


def page(found: Mapping[str, Any]) -> str:
    """Return one HTML document of what ``replay_report.report`` tells."""
    from markupsafe import Markup

    drawing, style = replay_drawing.draw(found), _style(len(found["policies"]))
    ranked = replay_report.ranked(found)
    places = {one["name"]: place for place, one in enumerate(found["policies"])}
    rows = zip(ranked, replay_report.table(found), strict=True)
    return _template().render(
        found=found,
        judged=judging.of(found["task"]),
        sentence=_unbroken(replay_report.sentence(found)),
        rows=[(places[one["name"]], drawing.lines[places[one["name"]]], told) for one, told in rows],
        drawing=drawing,
        ticks=[(judging.of(found["task"]).told(number), height / 3) for number, height in drawing.ticks],
        stories=[(one["name"], _story(found, one)) for one in found["policies"] if _has_story(one)],
        style=Markup(style),
        digest=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
        most=TOLD,
    )


def _unbroken(text: str) -> str:
    """Return text in which no number is parted from its percent sign."""
    return text.replace(" %", "\u00a0%")


def _has_story(policy: Mapping[str, Any]) -> bool:
    """Return whether why it fitted is more than that a number of intervals had passed."""
    kind = str(policy["name"]).partition("+")[0]
    return policy["fits"] > 0 and not kind.isdecimal() and kind != "every"


def _story(found: Mapping[str, Any], policy: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the fits of a policy, the newest first."""
    fits = [one for one in policy["steps"] if one["is_fit"]]
    return [{**one, "day": _day(found, one["span"])} for one in reversed(fits[-TOLD:])]


def _day(found: Mapping[str, Any], span: str) -> str:
    interval = keys.parse_span(span)
    return phrases.day(interval.start, interval.end, found["timezone"])


@cache
def _template() -> "Template":
    return templating.environment(title=replay_report.title, visible=phrases.visible).get_template("replay.html")


def _style(policies: int) -> str:
    """Return the style; a line is hidden where the box of its policy is not ticked."""
    hidden = (f"body:has(#show-{place}:not(:checked)) .of-{place} {{ display: none; }}" for place in range(policies))
    heard = (
        f"body:has(.row-{place}:hover, #show-{place}:focus-visible) .line.of-{place} {{ stroke-width: 4; }}"
        for place in range(policies)
    )
    return templating.style(STYLES) + "\n".join([*hidden, *heard])
