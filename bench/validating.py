"""What a validation costs next to plain Great Expectations, pandera and the same answers computed by hand."""

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from bench.contenders import CONTENDERS, LEVELS, NUMBERS
from bench.counting import table

ROWS = int(os.environ.get("BENCH_ROWS", "1000000"))
ROUNDS = 3
OURS, PLAIN, PANDERA = list(CONTENDERS)[:3]


def report(folder: Path) -> None:
    """Print CPU seconds and memory of every contender on the same file, and the ratios that are goals."""
    folder.mkdir()
    path = folder / "rows.parquet"
    frame = rows(ROWS)
    frame.to_parquet(path, compression="zstd", index=False)
    frame_mib = frame.memory_usage(deep=True).sum() / 2**20
    del frame
    rounds: dict[str, list[dict[str, float]]] = {name: [] for name in CONTENDERS}
    for _ in range(ROUNDS):  # interleaved, so that a machine that slows down slows all of them
        for name in CONTENDERS:
            rounds[name].append(measured(name, path))
    found = {name: {one: _median(each, one) for one in each[0]} for name, each in rounds.items()}
    lines = [["contender", "imports s", "the rest s", "whole s", "peak MiB"]]
    lines += [[name, *_line(one)] for name, one in found.items()]
    table(f"{ROWS:,} rows x 20 columns, 20 expectations: CPU seconds (median of {ROUNDS} interleaved rounds)", lines)
    ours, plain, pandera = (found[name] for name in (OURS, PLAIN, PANDERA))
    goals = [
        ["figure", "measured", "goal"],
        ["the rest against plain GX with docs", f"{ours['rest'] / plain['rest']:.2f}", "<= 0.25"],
        ["the rest against pandera", f"{ours['rest'] / pandera['rest']:.2f}", "<= 2"],
        ["whole process against plain GX with docs", f"{_whole(ours) / _whole(plain):.2f}", "<= 0.6"],
        ["peak memory against the frame", f"{ours['peak_mib'] / frame_mib:.2f}", "<= 2, imports included"],
    ]
    table(f"Goals (the frame itself: {frame_mib:.0f} MiB)", goals)


def rows(count: int, start: int = 0) -> pd.DataFrame:
    """Return rows with heavy tails, missing values and up to 5,000 categories; keys count from ``start``."""
    random = np.random.default_rng(start)
    moments = pd.to_timedelta(np.sort(random.integers(0, 86_400_000_000, count)), unit="us")
    columns: dict[str, object] = {
        "at": pd.Timestamp("2024-01-01", tz="UTC") + moments,
        "key": np.arange(start, start + count),
    }
    for place, name in enumerate(NUMBERS):
        values = random.pareto(3, count) * 10 if place % 2 else random.normal(0, 1, count)
        columns[name] = np.where(random.random(count) < 0.03, np.nan, values) if place % 3 == 0 else values
    for name, many in LEVELS.items():
        columns[name] = np.array([f"v{level:04d}" for level in range(many)])[random.integers(0, many, count)]
    return pd.DataFrame(columns).astype(dict.fromkeys(LEVELS, "str"))


def measured(name: str, path: Path) -> dict[str, float]:
    """Return what one validation cost in a process of its own: CPU seconds, seconds, and MiB at the most."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "bench.contenders", name, str(path)],
        check=True, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _median(each: list[dict[str, float]], figure: str) -> float:
    return statistics.median(one[figure] for one in each)


def _whole(one: dict[str, float]) -> float:
    return one["imports"] + one["rest"]


def _line(one: dict[str, float]) -> list[str]:
    return [f"{one['imports']:.2f}", f"{one['rest']:.2f}", f"{_whole(one):.2f}", f"{one['peak_mib']:.0f}"]
