"""Pages as responses: templates that escape, one inlined style, headers that forbid all else."""

import base64
import hashlib
from functools import cache
from typing import TYPE_CHECKING, Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from markupsafe import Markup

from include.retraining import phrases
from include.retraining.ui import templating

if TYPE_CHECKING:
    from jinja2 import Environment

STYLES = ("palette.css", "pages.css")
ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "private, no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
}
DOCUMENT_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"


def render(request: Request, template: str, status: int = 200, **content: Any) -> HTMLResponse:
    """Return a page; texts in it are escaped."""
    html = (
        _environment()
        .get_template(template)
        .render(style=Markup(_style()), base=request.scope.get("root_path", ""), words=phrases.OUTCOMES, **content)
    )
    return HTMLResponse(html, status, headers={**ALWAYS, "Content-Security-Policy": _policy()})


def message(request: Request, status: int, title: str, *sentences: str) -> HTMLResponse:
    """Return a page that only says something."""
    return render(request, "message.html", status, title=title, sentences=sentences)


def document(html: bytes) -> HTMLResponse:
    """Return a published Data Docs page, sandboxed: whatever it holds, it can run nothing and reach nobody."""
    return HTMLResponse(html, headers={**ALWAYS, "Content-Security-Policy": DOCUMENT_POLICY})


@cache
def _environment() -> "Environment":
    return templating.environment(number=phrases.number, share=phrases.share, visible=phrases.visible)


@cache
def _style() -> str:
    return templating.style(STYLES)


@cache
def _policy() -> str:
    digest = base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; frame-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'self'"
    )
