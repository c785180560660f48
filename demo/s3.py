"""The S3 server of the demo: MiniStack behind a door that checks every signature.

MiniStack takes any credentials, and anybody who reaches its port, a page in the browser included, can
wipe it through its control routes. The door verifies AWS Signature 4 with the one key pair of the
demo and lets the control routes alone: https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
"""

from __future__ import annotations

import asyncio
import hmac
import os
import signal
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]

HEALTH = "/_ministack/health"
Refusal = tuple[int, str, str]


@dataclass(frozen=True)
class Door:
    """Let through what is signed with one key pair, and the health route."""

    inner: Application
    access_key: str
    secret_key: str

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one ASGI connection."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
        elif scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
        elif refusal := self.refusal(scope):
            await _refuse(send, *refusal)
        else:
            await self.inner(scope, receive, send)

    def refusal(self, scope: Message) -> Refusal | None:
        """Say why a request is refused: status, S3 error code and message; nothing if it may pass."""
        from ministack.core import sigv4

        if scope["path"] == HEALTH and scope["method"] == "GET":
            return None
        if scope["path"].startswith("/_"):
            return 403, "AccessDenied", "Control routes are closed."
        headers = _headers(scope)
        if not headers.get("authorization", "").startswith("AWS4-HMAC-SHA256 "):
            return 403, "AccessDenied", "The request is not signed with AWS Signature 4."
        if "x-amz-content-sha256" not in headers:
            return 400, "InvalidRequest", "The header x-amz-content-sha256 is missing."
        signature = sigv4.parse_header_signature(headers)
        if isinstance(signature, tuple):
            return 400, *signature
        if not hmac.compare_digest(signature.access_key_id.encode(), self.access_key.encode()):
            return 403, "InvalidAccessKeyId", "The access key is not the one in the demo's file of Connections."
        wrong = sigv4.request_time_failure(signature) or sigv4.header_signature_failure(
            signature,
            self.secret_key,
            scope["method"],
            scope["raw_path"].decode("latin-1"),
            parse_qs(scope["query_string"].decode(), keep_blank_values=True),
            headers,
            b"",
        )
        return (403, *wrong) if wrong else None


async def _live(receive: Receive, send: Send) -> None:
    """Start and stop without MiniStack's own start, which listens on port 8883, talks to Docker and runs scripts."""
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


def _headers(scope: Message) -> dict[str, str]:
    """Return the headers by lower-case name; one sent on several lines is signed as its values joined."""
    joined: dict[str, str] = {}
    for raw, value in scope["headers"]:
        name, text = raw.decode("latin-1").lower(), value.decode("latin-1").strip()
        joined[name] = f"{joined[name]},{text}" if name in joined else text
    return joined


async def _refuse(send: Send, status: int, code: str, message: str) -> None:
    error = f"<Error><Code>{escape(code)}</Code><Message>{escape(message)}</Message></Error>"
    headers = [(b"content-type", b"application/xml"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b'<?xml version="1.0" encoding="UTF-8"?>\n' + error.encode()})


async def _serve(application: Application, bind: str) -> None:
    from hypercorn.asyncio import serve
    from hypercorn.config import Config

    config = Config()
    config.bind = [bind]
    config.keep_alive_timeout = 75
    config.loglevel = "WARNING"
    stop = asyncio.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(sign, stop.set)
    await serve(application, config, shutdown_trigger=stop.wait)  # type: ignore[arg-type]


def main() -> None:
    """Serve until SIGTERM; address and key pair come from the environment, as MiniStack's own settings do."""
    from ministack.app import app

    env = os.environ
    door = Door(app, env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"])
    asyncio.run(_serve(door, f"{env['BIND_HOST']}:{env['GATEWAY_PORT']}"))


if __name__ == "__main__":
    main()
