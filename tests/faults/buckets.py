"""Injects one fault into one request of a step on a real S3 server, recovers by running the step again, and judges."""

import contextlib
import hashlib
import http.client
import itertools
import json
import os
import re
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import boto3

from include.retraining import s3
from include.retraining.connections import Settings
from include.retraining.errors import PromotionConflict, Unavailable
from tests.faults import sequence, wire
from tests.faults.folders import guarded, swept_up
from tests.faults.sequence import STEPS, TRIES, Clock, Run
from tests.retraining.disk import Killed

Hit = tuple[str, str]


class Bucket:
    """A bucket on a real server, reached directly to put things in place, and through the proxy to be worked on."""

    def __init__(self, settings: Settings, port: int) -> None:
        self.name, self.direct = str(settings.extra["bucket"]), s3.open_s3(settings)
        extra = {**settings.extra, "endpoint_url": f"http://127.0.0.1:{port}"}
        self.store = s3.open_s3(replace(settings, extra=extra))
        self.raw = boto3.client(
            "s3",
            endpoint_url=settings.extra["endpoint_url"],
            aws_access_key_id=settings.login,
            aws_secret_access_key=settings.password,
            region_name="us-east-1",
        )
        self.wire = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self.proven: dict[Any, list[str]] = {}

    def close(self) -> None:
        self.wire.close()
        self.raw.close()

    def tell(self, what: str, **order: Any) -> dict[str, Any]:
        """Give the proxy an order, or ask it what it has seen."""
        self.wire.request("POST", wire.CONTROL + what, json.dumps(order).encode())
        return dict(json.loads(self.wire.getresponse().read()))

    def listed(self) -> dict[str, str]:
        """Return the md5 of every object."""
        pages = self.raw.get_paginator("list_objects_v2").paginate(Bucket=self.name)
        return {one["Key"]: one["ETag"].strip('"') for page in pages for one in page.get("Contents", ())}

    def start(self, run: Run, step: int) -> s3.S3Store:
        """Put everything back as it was before a step."""
        found, wanted = self.listed(), run.states[step]
        if gone := [{"Key": key} for key in found.keys() - wanted.keys()]:
            self.raw.delete_objects(Bucket=self.name, Delete={"Objects": gone, "Quiet": True})
        for key, data in wanted.items():
            if found.get(key) != hashlib.md5(data).hexdigest():
                self.raw.put_object(Bucket=self.name, Key=key, Body=data)
        Clock.ticks = itertools.count()
        return self.store

    def digest(self) -> str:
        """Return a digest of all that lies there; what killed processes left counts without its random names."""
        found = sorted((re.sub(r"\b[0-9a-f]{16}\b", "*", key), md5) for key, md5 in self.listed().items())
        return hashlib.sha256(repr(found).encode()).hexdigest()

    def remembered(self, what: Any, check: Callable[[], Iterator[str]]) -> list[str]:
        """Return what a check of the stored bytes finds; of the same bytes it would find the same again."""
        if what not in self.proven:
            self.proven[what] = list(check())
        return self.proven[what]


def calls_of(bucket: Bucket, run: Run, step: int) -> list[Hit]:
    """Return every request of a step, in order."""
    store = bucket.start(run, step)
    bucket.tell("arm")
    assert sequence.told(lambda: run.step(step, store)) == run.returned[step]
    return [tuple(call) for call in bucket.tell("seen")["calls"]]


def inject(bucket: Bucket, run: Run, step: int, call: int, fault: str, late_after: int) -> tuple[Hit | None, list[str]]:
    """Let a fault befall one request of one step, recover, and return what it struck and everything that is wrong."""
    store, found = bucket.start(run, step), []
    kind, _, times = fault.partition(" x")
    order = {"call": call, "fault": kind, "times": int(times or 1), "late_after": late_after}
    if kind.startswith("killed"):
        answer = killed(bucket, lambda: run.step(step, store), order)
        next(Clock.ticks)
    else:
        bucket.tell("arm", **order)
        answer = attempt(lambda: run.step(step, store))
    hit = bucket.tell("seen")["hit"]
    if hit is None:
        return None, []
    for _ in range(TRIES - 1):
        if not isinstance(answer, Unavailable | Killed) and not sequence.is_believed(answer, hit, fault):
            break
        found += midway(bucket, run, step)
        answer = attempt(lambda: run.step(step, store))
    found += [] if answer == run.returned[step] else [f"{STEPS[step]} ended with {answer!r}"]
    return tuple(hit), found or finish(bucket, run, step, store)


def finish(bucket: Bucket, run: Run, step: int, store: s3.S3Store) -> list[str]:
    """Run the steps that follow, let come what is late, and return what is wrong in the end."""

    def go_on() -> Iterator[str]:
        for number in range(step + 1, len(STEPS)):
            answer = attempt(lambda number=number: run.step(number, store))
            if answer != run.returned[number]:
                yield f"{STEPS[number]}, which followed, ended with {answer!r}"
                return
        bucket.tell("land")
        ended = (run.variant, "end", bucket.digest())
        yield from bucket.remembered(ended, lambda: guarded(sequence.problems(bucket.direct, run)))

    if bucket.tell("seen")["late"]:
        return list(go_on())
    return bucket.remembered((run.variant, step, bucket.digest()), go_on)


def midway(bucket: Bucket, run: Run, step: int) -> list[str]:
    """Return what a reader would stumble over before the step is tried again."""
    before, after = (sum("/promotions/" in key for key in run.states[number]) for number in (step, step + 1))
    check = lambda: guarded(sequence.problems_midway(bucket.direct, (before, after)))  # noqa: E731
    return bucket.remembered((run.variant, step, "midway", bucket.digest()), check)


def attempt(ask: Callable[[], Any]) -> Any:
    """Return what a step returns or how it failed."""
    try:
        return ask()
    except PromotionConflict:
        return PromotionConflict
    except Exception as error:
        return error


def killed(bucket: Bucket, ask: Callable[[], Any], order: dict[str, Any]) -> Any:
    """Run a step in a process of its own, which the proxy ends by SIGKILL at the request."""
    gate, opened = os.pipe()
    with swept_up():
        child = os.fork()
        if not child:
            with contextlib.suppress(BaseException):
                for client in (bucket.store._client, bucket.store._once, bucket.store._for_files):
                    client.close()  # the parent goes on speaking over these connections
                os.read(gate, 1)
                attempt(ask)
            os._exit(0)
        bucket.tell("arm", **order, pid=child)
        os.write(opened, b"!")
        _, status = os.waitpid(child, 0)
    os.close(gate)
    os.close(opened)
    if not os.WIFSIGNALED(status):
        return None
    assert os.WTERMSIG(status) == signal.SIGKILL
    return Killed()
