"""A proxy before the real S3 server that loses replies, cuts them off or answers with errors."""

import http.client
import socket
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler

HOP = {"connection", "transfer-encoding", "content-length", "keep-alive"}


class Proxy(BaseHTTPRequestHandler):
    """Passes requests on to the real server, after asking ``fault`` what to do with each."""

    protocol_version = "HTTP/1.1"

    def handle_one(self) -> None:
        self.close_connection = True
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        order = self.server.fault(self)
        self.server.seen.append(self.command)
        if isinstance(order, int):
            return self.answer(order, b"<Error><Code>Injected</Code></Error>")
        real = http.client.HTTPConnection("127.0.0.1", self.server.target, timeout=10)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP - {"content-length"}}
        real.request(self.command, self.path, body, headers)
        answer = real.getresponse()
        data = answer.read()
        real.close()
        if order == "swallow":
            self.connection.shutdown(socket.SHUT_RDWR)
        elif order == "late 500":
            self.answer(500, b"<Error><Code>InternalError</Code></Error>")
        else:
            cut = data[: len(data) // 2] if order == "cut" else data
            self.answer(answer.status, cut, dict(answer.getheaders()), len(data))

    def answer(
        self, status: int, data: bytes, headers: dict[str, str] | None = None, length: int | None = None
    ) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            if name.lower() not in HOP:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(data) if length is None else length))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_PUT = do_DELETE = handle_one  # noqa: N815 - the standard library's names

    def log_message(self, *_) -> None:
        """Say nothing."""


Fault = Callable[[Proxy], str | int | None]


def once(order: str | int, command: str = "PUT") -> Fault:
    """Return a fault that strikes the first request of a kind, once."""
    left = [order]
    return lambda request: left.pop() if left and request.command == command else None
