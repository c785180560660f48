"""The figure of docs/decisions.md: a year of flights, three policies, and what became of each challenger."""

from collections.abc import Sequence
from datetime import datetime
from html import escape
from typing import Any

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 860, 400, 56, 850, 40, 300
ROLLED, STEP = 28, 0.1
SHOWN = {"never": "#8a8f98", "every": "#2f6fde", "ours": "#d1495b"}
WORDS = {"never": "never refitted", "every": "refitted every day", "ours": "this product's rule"}
MARKS = {"won": "\u25b2", "lost": "\u25bd"}


def figure(found: dict[str, Any]) -> str:
    """Return an SVG: rolling means of the loss, and under them a mark for each challenger of ours."""
    policies = {one["name"]: one for one in found["policies"]}
    lines = {
        name: _rolled([one["loss"] for one in policies[name]["steps"] if one["loss"] is not None]) for name in SHOWN
    }
    low, high = min(map(min, lines.values())), max(map(max, lines.values()))
    low, high = STEP * int(low / STEP), STEP * (int(high / STEP) + 1)
    parts = [_frame(low, high), *(_line(name, lines[name], low, high) for name in SHOWN)]
    parts += [_marks(policies["ours"]["steps"]), _legend(policies)]
    style = "text{font:13px system-ui,sans-serif;fill:#333}.t{font-size:12px;fill:#666}"
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">'
    back = f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>'
    return "\n".join([head, f"<style>{style}</style>", back, *parts, "</svg>", ""])


def _rolled(losses: Sequence[float]) -> list[float]:
    return [sum(losses[i - ROLLED : i]) / ROLLED for i in range(ROLLED, len(losses) + 1)]


def _height(value: float, low: float, high: float) -> float:
    return BOTTOM - (value - low) / (high - low) * (BOTTOM - TOP)


def _across(place: float, count: int) -> float:
    return LEFT + place / max(1, count - 1) * (RIGHT - LEFT)


def _frame(low: float, high: float) -> str:
    ticks = [low + STEP * number for number in range(round((high - low) / STEP) + 1)]
    lines = [
        f'<path d="M{LEFT} {_height(one, low, high):.1f}H{RIGHT}" stroke="#e5e7eb"/>'
        f'<text class="t" x="{LEFT - 8}" y="{_height(one, low, high) + 4:.1f}" text-anchor="end">{one:.2f}</text>'
        for one in ticks
    ]
    title = f'<text x="{LEFT}" y="20">Log loss, mean of {ROLLED} days (lower is better)</text>'
    return "\n".join([title, *lines])


def _line(name: str, values: Sequence[float], low: float, high: float) -> str:
    count = len(values) + ROLLED - 1
    points = " ".join(
        f"{_across(place + ROLLED - 1, count):.1f},{_height(one, low, high):.1f}" for place, one in enumerate(values)
    )
    return f'<polyline points="{points}" fill="none" stroke="{SHOWN[name]}" stroke-width="2"/>'


def _marks(steps: Sequence[dict[str, Any]]) -> str:
    judged = [one for one in steps if one["loss"] is not None]
    marks, months, seen = [], [], set[str]()
    for place, one in enumerate(judged):
        across = _across(place, len(judged))
        if one["is_fit"] or one["is_promoted"]:
            won = one["is_promoted"]
            colour, mark = ("#2e7d32", MARKS["won"]) if won else ("#8a8f98", MARKS["lost"])
            said = escape(f"{one['answer']}: {one['verdict']}")
            marks.append(
                f'<text x="{across:.1f}" y="330" text-anchor="middle" style="fill:{colour}">{mark}'
                f"<title>{said}</title></text>"
            )
        month = f"{datetime.strptime(one['span'][:8], '%Y%m%d').astimezone():%b}"
        if month not in seen:
            seen.add(month)
            months.append(f'<text class="t" x="{across:.1f}" y="{BOTTOM + 16}">{month}</text>')
    return "\n".join([*marks, *months])


def _legend(policies: dict[str, Any]) -> str:
    texts, across = [], float(LEFT)
    for name, colour in SHOWN.items():
        one = policies[name]
        told = f"{WORDS[name]}: {one['loss']:.4f}, {one['fits']} fits"
        texts.append(f'<path d="M{across:.0f} 362h22" stroke="{colour}" stroke-width="3"/>')
        texts.append(f'<text x="{across + 28:.0f}" y="366">{escape(told)}</text>')
        across += 46 + 6.6 * len(told)
    texts.append(
        f'<text class="t" x="{LEFT}" y="390">{MARKS["won"]} a challenger or runner-up went live   '
        f"{MARKS['lost']} a challenger was trained and lost</text>"
    )
    return "\n".join(texts)
