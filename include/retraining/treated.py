"""Pure: which rows of an interval a version's pipeline fills or clips, against what was usual when it was trained."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

DOUBLED = 2.0
"""So many times the usual share is worth a word."""
LEAST = 0.02
"""A share below this is too small to be worth one, 0 to 1."""
NAMED = 3


def touched(rows: "pd.DataFrame", manifest: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Return, for each numeric feature that a version keeps, which shares of rows it fills and clips.

    Parameters
    ----------
    rows : DataFrame
        One interval.
    manifest : mapping
        The version's: ``treatment`` has limits and medians, ``missing_shares`` what was missing in training.

    Returns
    -------
    dict
        By feature: ``filled`` and ``clipped``, shares 0 to 1, and ``usually_filled``, the share in training. What is
        usually clipped is one row in 500, by the quantiles that the limits are.
    """
    treatment, usual = manifest.get("treatment", {}), manifest.get("missing_shares", {})
    found = {}
    for name, low, high in zip(*(treatment.get(part, ()) for part in ("kept", "low", "high")), strict=True):
        if name in rows and len(rows):
            values = rows[name].astype("float64")
            clipped = (values < low) | (values > high)
            shares = {"filled": float(values.isna().mean()), "clipped": float(clipped.mean())}
            found[name] = {**shares, "usually_filled": float(usual.get(name, 0.0))}
    return found


def warnings(shares: Mapping[str, Mapping[str, float]], usually_clipped: float = 0.002) -> list[str]:
    """Return a phrase for each share that has at least doubled, the largest first.

    >>> warnings({"distance": {"filled": 0.3, "usually_filled": 0.1, "clipped": 0.0}})
    ['distance: 30 % filled in (10 % in training)']
    """
    told = []
    for name, one in shares.items():
        for verb, share, usual in (
            ("filled in", one["filled"], one["usually_filled"]),
            ("clipped", one["clipped"], usually_clipped),
        ):
            if share >= LEAST and share >= DOUBLED * usual:
                told.append((share, f"{name}: {100 * share:.2g} % {verb} ({100 * usual:.2g} % in training)"))
    return [words for _, words in sorted(told, reverse=True)]


def sentence(told: list[str]) -> str:
    """Return warnings as a sentence that follows another; nothing if there are none."""
    if not told:
        return ""
    more = f" and {len(told) - NAMED} more" if len(told) > NAMED else ""
    return f" More rows than usual were treated: {'; '.join(told[:NAMED])}{more}."
