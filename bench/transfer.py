"""An artifact's way to and from S3, next to plain boto3 with the same bytes on the same server."""

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.counting import bucket, table
from demo import services
from include.retraining.store import digest_of

SIZES_MB = (1, 16, 64)
ROUNDS = 7


def report(server: services.S3) -> None:
    """Print medians of interleaved rounds, and the median of their ratios."""
    import boto3

    store = bucket(server)
    plain = boto3.client(
        "s3",
        endpoint_url=server.endpoint_url,
        aws_access_key_id=server.access_key,
        aws_secret_access_key=server.secret_key,
        region_name=server.region,
    )
    rows = [["MB", "direction", "plain boto3 s", "registry's store s", "ratio"]]
    with tempfile.TemporaryDirectory(prefix="retraining-bench-") as name:
        source, copy = Path(name) / "source", Path(name) / "copy"
        for size in SIZES_MB:
            source.write_bytes(os.urandom(size * 1_000_000))

            def plain_up() -> None:
                with source.open("rb") as body:
                    plain.put_object(Bucket=server.bucket, Key="plain", Body=body)

            def own_up() -> None:  # as a registration does: the manifest needs the sha256
                digest_of(source)
                assert store.put_if_absent("own", source)

            def plain_down() -> None:
                plain.download_file(server.bucket, "own", str(copy))

            def own_down() -> None:
                store.fetch("own", copy)

            rows.append([str(size), "up", *_compared(plain_up, own_up, lambda: store.delete("own"))])
            store.put_if_absent("own", source)
            rows.append([str(size), "down", *_compared(plain_down, own_down, lambda: None)])
            store.delete("own")
    table(f"Artifact up and down, sha256, MD5 and condition included (median of {ROUNDS} interleaved rounds)", rows)


def _compared(plain: Callable[[], None], own: Callable[[], None], reset: Callable[[], None]) -> list[str]:
    times: dict[str, list[float]] = {"plain": [], "own": []}
    for number in range(ROUNDS + 1):
        for name, act in (("plain", plain), ("own", own)):
            reset()
            started = time.perf_counter()
            act()
            if number:  # the first round warms up
                times[name].append(time.perf_counter() - started)
    ratio = statistics.median(own / plain for own, plain in zip(times["own"], times["plain"], strict=True))
    return [f"{statistics.median(times['plain']):.3f}", f"{statistics.median(times['own']):.3f}", f"{ratio:.2f}"]
