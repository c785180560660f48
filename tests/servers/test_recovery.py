"""Every write that was acknowledged is there after a daemon was killed with SIGKILL in the middle of more."""

import contextlib
import itertools
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from demo import ceph
from include.retraining import s3
from include.retraining.errors import ObjectMissing, Unavailable

WRITERS, BETWEEN, PATIENCE_S = 4, 100, 90
SIZES = [0, 1, 1_000, 100_000]


class Writing:
    """Writers that go on until they are told to stop, and what each was told of its writes."""

    def __init__(self, store: s3.S3Store) -> None:
        self.store, self.stop = store, Event()
        self.tried: dict[str, bytes] = {}
        self.answers: dict[str, bool] = {}

    def go_on(self, writer: int) -> None:
        for number in itertools.count():
            if self.stop.is_set():
                return
            key = f"m/{writer}/{number:05d}"
            self.tried[key] = secrets.token_bytes(SIZES[number % len(SIZES)])
            with contextlib.suppress(Unavailable):
                self.answers[key] = self.store.put_if_absent(key, self.tried[key])

    def wait_for(self, more: int) -> None:
        goal, deadline = len(self.answers) + more, time.monotonic() + PATIENCE_S
        while len(self.answers) < goal:
            assert time.monotonic() < deadline, f"{len(self.answers)} of {goal} writes after {PATIENCE_S} s"
            time.sleep(0.01)


@pytest.mark.parametrize(("daemon", "kills"), [(ceph.MONITOR, 1), (ceph.DISK, 1), (ceph.GATEWAY, 3)])
def test_what_was_acknowledged_is_there_after_kills(node, s3_settings, daemon, kills):
    writing = Writing(s3.open_s3(s3_settings))
    with ThreadPoolExecutor(WRITERS) as writers:
        going = [writers.submit(writing.go_on, writer) for writer in range(WRITERS)]
        try:
            for _ in range(kills):
                writing.wait_for(BETWEEN)
                node.kill(daemon)
                node.start(daemon)
            writing.wait_for(BETWEEN)
        finally:
            writing.stop.set()
    assert [one.result() for one in going] == [None] * WRITERS
    assert set(writing.answers.values()) == {True}, "every key was one writer's own"
    read, lost = s3.open_s3(s3_settings), []
    for key, data in writing.tried.items():
        try:
            assert read.get(key) == data, f"{key} is torn"
        except ObjectMissing:
            lost.append(key)
    assert not set(lost) & set(writing.answers)
    assert {found.key for found in read.list("m/")} == set(writing.tried) - set(lost)
    print(f"{daemon}: {len(writing.answers)} acknowledged, {len(writing.tried) - len(writing.answers)} not")
