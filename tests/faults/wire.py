"""A proxy before the real S3 server, in a process of its own, that lets one fault befall one request.

================  ====================================================================================================
error before      the connection is cut, the server never heard of it
reply lost        the server did it, then the connection is cut
late apply        the connection is cut, and the server does it when so many later requests have passed
409               ConditionalRequestConflict, as AWS answers writers of one key at the same time; nothing was done
412 on one's own  the server did it, then PreconditionFailed: a box in between sent the request twice
500               InternalError, nothing was done
503               SlowDown, for so many requests of this kind in turn
truncated         the length of the whole is promised, half of it comes
flipped           one bit of the body is another
stale list        a listing misses what was written last, or everything
killed before     the client is killed with SIGKILL, the server never heard of it
killed after      the server did it, and the client is killed before the answer
================  ====================================================================================================
"""

import http.client
import json
import multiprocessing
import os
import re
import signal
import socket
import threading
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.faults.matrix import kind_of
from tests.retraining.proxy import HOP

REFUSALS = {
    "409": (409, "ConditionalRequestConflict"),
    "412 on one's own": (412, "PreconditionFailed"),
    "500": (500, "InternalError"),
    "503": (503, "SlowDown"),
}
ALWAYS = ("error before", "500", "503 x1", "503 x2", "503 x6", "killed before", "killed after")
READS, WRITES = (*ALWAYS, "truncated", "flipped"), (*ALWAYS, "reply lost", "late apply")
POSSIBLE = {
    "get": READS,
    "list": (*READS, "stale list"),
    "head": ALWAYS,
    "put": (*WRITES, "409"),
    "put if absent": (*WRITES, "409", "412 on one's own"),
    "delete": WRITES,
}
"""What can befall each request."""
NATURE = (
    "A read does nothing, so no reply to it is lost and it cannot come late. Only writes meet other writers, and only "
    "one that asks for an absent key is told 412. A HEAD has no body, and only a listing can be stale: a read of one "
    "key is promised to be of now."
)
"""Why the rest is impossible."""
CONTROL = "/-/"
DROPPED = (HOP | {"expect"}) - {"content-length"}
ITEM = re.compile(rb"<Contents>.*?</Contents>", re.DOTALL)
Answer = tuple[int, list[tuple[str, str]], bytes]


@dataclass
class State:
    """What the proxy is to do, and what it has seen."""

    target: int
    order: dict[str, Any] = field(default_factory=dict)
    calls: list[tuple[str, str]] = field(default_factory=list)
    hit: tuple[str, str] | None = None
    left: int = 0
    late: list[tuple[int, Any]] = field(default_factory=list)
    written: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    local: threading.local = field(default_factory=threading.local)

    def arm(self, order: dict[str, Any]) -> None:
        self.order, self.calls, self.hit, self.late, self.written = order, [], None, [], []
        self.left = order.get("times", 0)

    def fault(self, here: tuple[str, str]) -> str | None:
        """Return what befalls this request."""
        with self.lock:
            self.calls.append(here)
            if self.hit is None and self.order and len(self.calls) > self.order["call"]:
                self.hit = here
            if here != self.hit or not self.left:
                return None
            self.left -= 1
            return str(self.order["fault"])

    def due(self, everything: bool = False) -> list[Any]:
        """Return the late requests that are to be sent now."""
        with self.lock:
            now = [send for when, send in self.late if everything or when <= len(self.calls)]
            self.late = [one for one in self.late if one[1] not in now]
            return now

    def ask(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        """Send a request to the real server, over this thread's own connection."""
        for is_last in (False, True):
            real = getattr(self.local, "real", None) or http.client.HTTPConnection("127.0.0.1", self.target, timeout=30)
            self.local.real = real
            try:
                real.request(method, path, body, headers)
                answer = real.getresponse()
                return answer.status, answer.getheaders(), answer.read()
            except (http.client.HTTPException, OSError):  # it had been idle too long
                real.close()
                if is_last:
                    raise
        raise AssertionError


class Wire(BaseHTTPRequestHandler):
    """Passes requests on, and does what was ordered to the one it was ordered for."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    state: State

    def handle_expect_100(self) -> bool:
        """Ask for the body at once: boto3 waits a second for that."""
        self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self.wfile.flush()
        return True

    def handle_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path.startswith(CONTROL):
            return self.control(body)
        for send in self.state.due():
            send()
        here = described(self.command, self.path, "If-None-Match" in self.headers)
        fault = self.state.fault(here)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in DROPPED}
        request = (self.command, self.path, headers, body)
        if fault in {"error before", "late apply", "killed before"}:
            return self.cut_off(fault, request)
        if fault in {"409", "500", "503"}:
            return self.refuse(fault)
        return self.obey(fault, self.state.ask(*request))

    def cut_off(self, fault: str, request: tuple[str, str, dict[str, str], bytes]) -> None:
        if fault == "killed before":
            os.kill(self.state.order["pid"], signal.SIGKILL)
        if fault == "late apply":
            with self.state.lock:
                when = len(self.state.calls) + self.state.order["late_after"]
                self.state.late.append((when, lambda: self.state.ask(*request)))
        self.hang_up()

    def obey(self, fault: str | None, answer: Answer) -> None:
        status, headers, data = answer
        if self.command == "PUT" and status < 300:
            self.state.written.append(urllib.parse.unquote(self.path.split("?")[0].split("/", 2)[2]))
        if fault == "killed after":
            os.kill(self.state.order["pid"], signal.SIGKILL)
        if fault in {"killed after", "reply lost"}:
            return self.hang_up()
        if fault == "412 on one's own":
            return self.refuse(fault)
        if fault == "truncated":
            self.answer(status, headers, data[: len(data) // 2], len(data))
            return self.hang_up()
        if fault == "flipped":
            at = (len(data) // 2, 0, len(data) - 1)[self.state.order["call"] % 3]
            data = data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :]
        if fault == "stale list":
            data = self.stale(data)
        return self.answer(status, headers, data, len(data))

    def stale(self, data: bytes) -> bytes:
        newest = self.state.written[-1:]
        return ITEM.sub(
            lambda item: item[0] if newest and not any(k.encode() in item[0] for k in newest) else b"", data
        )

    def refuse(self, fault: str) -> None:
        status, code = REFUSALS[fault]
        error = f"<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code><Message>Injected</Message></Error>"
        self.answer(status, [("Content-Type", "application/xml")], error.encode(), len(error))

    def hang_up(self) -> None:
        self.wfile.flush()
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def answer(self, status: int, headers: list[tuple[str, str]], data: bytes, length: int) -> None:
        self.send_response_only(status)
        promised = str(length)
        for name, value in headers:
            if self.command == "HEAD" and name.lower() == "content-length":
                promised = value
            if name.lower() not in HOP:
                self.send_header(name, value)
        self.send_header("Content-Length", promised)
        self.end_headers()
        self.wfile.write(data)

    def control(self, body: bytes) -> None:
        asked = self.path.removeprefix(CONTROL)
        if asked == "arm":
            self.state.arm(json.loads(body))
        if asked == "land":
            for send in self.state.due(everything=True):
                send()
        told = json.dumps({"hit": self.state.hit, "calls": self.state.calls, "late": len(self.state.late)}).encode()
        self.answer(200, [], told, len(told))

    do_GET = do_PUT = do_DELETE = do_HEAD = do_POST = handle_any  # noqa: N815 - the standard library's names

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def described(method: str, path: str, is_conditional: bool) -> tuple[str, str]:
    """Return a request as rows of the matrix name it: what is asked, and of what kind of key."""
    where, _, query = path.partition("?")
    asked = dict(urllib.parse.parse_qsl(query))
    key = urllib.parse.unquote(where.lstrip("/").partition("/")[2])
    if "list-type" in asked:
        return "list", f"{kind_of(asked.get('prefix', '') + 'x.y')} folder"
    name = {"PUT": "put if absent" if is_conditional else "put"}.get(method, method.lower())
    return name, kind_of(key) if key else "bucket"


def serve(target: int, told: Any) -> None:
    """Run the proxy until its process is ended, and tell its port."""
    handler = type("Bound", (Wire,), {"state": State(target)})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    told.send(server.server_port)
    server.serve_forever(poll_interval=60)


@contextmanager
def proxy(target: int) -> Iterator[int]:
    """Give the port of a proxy before a server."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(target, theirs), daemon=True)
    process.start()
    try:
        yield int(ours.recv())
    finally:
        process.terminate()
        process.join()
        process.close()
