"""What the drift step costs next to a floor, the same by hand elsewhere, and peers in environments of their own."""

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd

from bench.contenders import LEVELS, NUMBERS
from bench.counting import table
from bench.drift_contenders import BASELINE, CONTENDERS, CURRENT, REFERENCE
from bench.validating import rows
from include.retraining import drift, parted, signing
from tests.retraining import toy

SIZES = [int(size) for size in os.environ.get("BENCH_DRIFT_ROWS", "1000000 10000000").split()]
REFERENCE_ROWS, INTERVALS = 200_000, 20
PEERS = {"Evidently": ["evidently", "pandas<3"], "NannyML": ["nannyml", "pandas<3", "statsmodels"]}
"""What is installed for each; with pandas 3 neither can be imported."""
OURS, IN_PARTS, FLOOR = list(CONTENDERS)[:3]
ROUNDS = 3
ALONE = {"OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1", "DO_NOT_TRACK": "1", "NML_DISABLE_USAGE_LOGGING": "1"}
"""One thread each, and no message to whoever made it."""
SLOW = 2_000_000
"""Beyond so many rows, what takes minutes or holds several copies is not asked."""
CHUNK = 1_000_000


def report(folder: Path) -> None:
    """Print CPU seconds and memory of every contender on the same rows, and the ratios that are goals."""
    folder.mkdir()
    _write_reference(folder)
    pythons = {name: python for name in CONTENDERS if (python := _python(name, folder))}
    for size in SIZES:
        parts = (rows(min(CHUNK, size - start), start + REFERENCE_ROWS) for start in range(0, size, CHUNK))
        parted.write(folder / CURRENT, parts, CHUNK)
        asked = [name for name in pythons if size < SLOW or name not in {"scipy, column by column", *PEERS}]
        frame_mib = rows(100_000).memory_usage(deep=True).sum() / 2**20 * size / 100_000
        _print(size, frame_mib, {name: _measured(pythons[name], name, folder) for name in asked})


def _write_reference(folder: Path) -> None:
    frames = [rows(REFERENCE_ROWS // INTERVALS, place * REFERENCE_ROWS) for place in range(INTERVALS)]
    spec = toy.spec(numeric=tuple(NUMBERS), categorical=tuple(LEVELS), slices=())
    pd.concat(frames, ignore_index=True).to_parquet(folder / REFERENCE, index=False)
    data = signing.canonical(drift.sketch(frames, spec))
    (folder / BASELINE).write_bytes(data)
    print(f"\nA sketch of {REFERENCE_ROWS:,} rows in {INTERVALS} intervals, 18 features: {len(data):,} bytes")


def _python(name: str, folder: Path) -> str | None:
    """Return the interpreter that has a contender, made for a peer where it is missing; None without it."""
    if name not in PEERS:
        return sys.executable
    kept = Path(os.environ.get("BENCH_PEERS", folder / "peers")) / name.lower()
    python = str(kept / "bin" / "python")
    try:
        if not Path(python).exists():
            subprocess.run([sys.executable, "-m", "venv", str(kept)], check=True, capture_output=True)
            subprocess.run([python, "-m", "pip", "install", "-q", *PEERS[name]], check=True, capture_output=True)
        subprocess.run([python, "-W", "ignore", "-c", f"import {name.lower()}"], check=True, capture_output=True)
    except (subprocess.CalledProcessError, OSError) as error:
        told = getattr(error, "stderr", b"") or str(error).encode()
        print(
            f"\n{name} is left out, it cannot be installed or imported here: {told.decode().strip().splitlines()[-1]}"
        )
        return None
    return python


def _measured(python: str, name: str, folder: Path) -> dict[str, Any]:
    """Return the median of what steps cost, each in a process of its own."""
    found = []
    for _ in range(1 if name in PEERS else ROUNDS):
        done = subprocess.run(
            [python, "-W", "ignore", "-m", "bench.drift_contenders", name, str(folder)],
            check=True, capture_output=True, text=True,
            env={**os.environ, **ALONE},
        )  # fmt: skip
        found.append(json.loads(done.stdout.splitlines()[-1]))
    figures = ("cpu_s", "seconds", "before_mib", "peak_mib")
    return {one: statistics.median(each[one] for each in found) for one in figures} | {"effects": found[0]["effects"]}


def _print(size: int, frame_mib: float, found: dict[str, dict[str, Any]]) -> None:
    ours, floor = found[OURS]["effects"], found[FLOOR]["cpu_s"]
    lines = [["contender", "CPU s", "of the floor", "beyond its rows MiB", "distances differ by"]]
    for name, one in found.items():
        gaps = [abs(one["effects"][column] - ours[column]) for column in ours] if one["effects"] else []
        beyond = one["peak_mib"] - one["before_mib"]
        told = f"{max(gaps):.4f}" if gaps else "-"
        lines.append([name, f"{one['cpu_s']:.3f}", f"{one['cpu_s'] / floor:.2f}", f"{beyond:.0f}", told])
    table(f"{size:,} rows x {len(ours)} features: CPU seconds of the drift step (median of {ROUNDS})", lines)
    goals = [["figure", "measured", "goal"]]
    goals += [["against the floor", f"{found[OURS]['cpu_s'] / floor:.2f}", "<= 3"]]
    for name in sorted({"scipy, column by column", *PEERS} & set(found)):
        goals.append([f"{name} against ours", f"{found[name]['cpu_s'] / found[OURS]['cpu_s']:.0f}", ">= 50"])
    peak = found[OURS]["peak_mib"] - found[OURS]["before_mib"] + frame_mib
    goals += [["memory against the frame", f"{peak / frame_mib:.2f}", "<= 1.5"]]
    goals += [["memory of a file in parts, imports included, MiB", f"{found[IN_PARTS]['peak_mib']:.0f}", "bounded"]]
    table(f"Goals (the frame itself: {frame_mib:.0f} MiB)", goals)
