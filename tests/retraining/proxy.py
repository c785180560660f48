"""A proxy before a real S3 server: it loses replies, cuts them off, answers with errors, or lies."""

import http.client
import socket
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from include.retraining.connections import Settings

HOP = {"connection", "transfer-encoding", "content-length", "keep-alive"}
Answer = tuple[int, dict[str, str], bytes]
Order = str | int | tuple[int, str] | Callable[[Answer], Answer] | None
"""What becomes of a request: swallowed, torn, cut, late, an error (with code), another answer, or nothing strange."""


class Proxy(BaseHTTPRequestHandler):
    """Passes requests on to the real server, after asking ``fault`` what to do with each."""

    protocol_version = "HTTP/1.1"

    def handle_one(self) -> None:
        self.close_connection = True
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        order = self.server.fault(self)
        self.server.seen.append(self.command)
        if isinstance(order, int | tuple):
            return self.refuse(*(order if isinstance(order, tuple) else (order, "Injected")))
        if order == "hang":
            return self.hang()
        if order == "torn":
            return self.tear(body)
        if order == "twice":  # as a proxy does that takes a slow answer for none
            self.ask(body)
        return self.obey(order, self.ask(body))

    def ask(self, body: bytes) -> Answer:
        real = http.client.HTTPConnection("127.0.0.1", self.server.target, timeout=30)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP - {"content-length"}}
        real.request(self.command, self.path, body, headers)
        answer = real.getresponse()
        data = answer.read()
        real.close()
        return answer.status, dict(answer.getheaders()), data

    def tear(self, body: bytes) -> None:
        """Hand the server half of what it was promised, as a caller does that dies in between."""
        real = http.client.HTTPConnection("127.0.0.1", self.server.target, timeout=30)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP - {"content-length"}}
        real.request(self.command, self.path, body[: len(body) // 2], headers)
        real.close()
        self.connection.shutdown(socket.SHUT_RDWR)

    def obey(self, order: Order, answer: Answer) -> None:
        if order == "swallow":
            self.connection.shutdown(socket.SHUT_RDWR)
        elif order == "late":
            self.hang()
        elif order == "late 500":
            self.refuse(500, "InternalError")
        elif order == "cut":
            status, headers, data = answer
            self.answer((status, headers, data[: len(data) // 2]), len(data))
        else:
            self.answer(order(answer) if callable(order) else answer)

    def hang(self) -> None:
        """Say nothing until the caller has lost patience."""
        time.sleep(self.server.patience_s)
        self.connection.shutdown(socket.SHUT_RDWR)

    def refuse(self, status: int, code: str) -> None:
        error = b"<Error><Code>%s</Code></Error>" % code.encode() if status >= 400 else b""
        self.answer((status, {}, error))

    def answer(self, answer: Answer, length: int | None = None) -> None:
        status, headers, data = answer
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in HOP:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(data) if length is None else length))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_PUT = do_DELETE = do_HEAD = handle_one  # noqa: N815 - the standard library's names

    def log_message(self, *_) -> None:
        """Say nothing."""


Fault = Callable[[Proxy], Order]


class Between:
    """A running proxy before a server, and the Connection that leads through it; closed by whoever made it."""

    def __init__(self, settings: Settings, target: int) -> None:
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
        self.server.daemon_threads, self.server.fault, self.server.target, self.server.seen = True, honest, target, []
        self.server.patience_s = 1.0
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        extra = {**settings.extra, "endpoint_url": f"http://127.0.0.1:{self.server.server_port}"}
        self.settings = self.server.settings = replace(settings, extra=extra)

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def honest(_: Proxy) -> None:
    """Pass everything on as it is."""


def once(order: Order, command: str = "PUT") -> Fault:
    """Return a fault that strikes the first request of a kind, once."""
    return in_turn([order], command)


def in_turn(orders: Iterable[Order], command: str = "PUT", others: Fault = honest) -> Fault:
    """Return a fault that strikes the first requests of a kind, each with the next order."""
    left = list(orders)
    return lambda request: left.pop(0) if left and request.command == command else others(request)


def without(*names: str) -> Fault:
    """Return a fault that takes headers out of every request."""

    def strip(request: Proxy) -> None:
        for name in names:
            del request.headers[name]

    return strip


def silent_about(*names: str) -> Callable[[Answer], Answer]:
    """Return an order that takes headers out of an answer."""
    left_out = {name.lower() for name in names}
    return lambda answer: (answer[0], {k: v for k, v in answer[1].items() if k.lower() not in left_out}, answer[2])


def flipped(answer: Answer) -> Answer:
    """Flip one bit of an answer."""
    status, headers, data = answer
    return status, headers, bytes([data[0] ^ 1]) + data[1:]


def is_listing(request: Proxy) -> bool:
    return request.command == "GET" and "list-type=2" in request.path


def is_read(request: Proxy) -> bool:
    return request.command == "GET" and "?" not in request.path


def stale(concerns: Callable[[Proxy], bool]) -> Fault:
    """Return a fault that answers whatever was asked before as it was answered then, as a cache does."""
    remembered: dict[str, Answer] = {}

    def recall(request: Proxy) -> Order:
        return (lambda answer: remembered.setdefault(request.path, answer)) if concerns(request) else None

    return recall
