"""The application behind Airflow's plugin. It is built at its first request: the plugin loads in every process."""

import logging
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastapi import FastAPI, Request, Response
    from starlette.types import Receive, Send

REFUSALS = {
    401: ("Please sign in", "Your session has ended. Reload this browser page and sign in again."),
    403: ("Not for you", "Your Airflow role may not read this DAG. Ask whoever manages Airflow for access to it."),
    404: (
        "Nothing here",
        "There is no such page. The list of Data Docs under Browse shows what there is.",
    ),
}
logger = logging.getLogger(__name__)


class LazyApp:
    """An ASGI application that costs nothing until somebody asks for a page."""

    async def __call__(self, scope: Any, receive: "Receive", send: "Send") -> None:
        """Answer one request."""
        await build()(scope, receive, send)


@cache
def build() -> "FastAPI":
    """Return the application: every route of it asks who is there, pages say errors in words."""
    from fastapi import Depends, FastAPI
    from fastapi.exceptions import RequestValidationError
    from starlette.exceptions import HTTPException

    from include.retraining.errors import RetrainingError
    from include.retraining.ui import data_docs_pages, trend_pages
    from include.retraining.ui.auth import get_user

    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, dependencies=[Depends(get_user)])
    app.include_router(trend_pages.router)  # before the pages of an interval, whose addresses have the same shape
    app.include_router(data_docs_pages.router)
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(RequestValidationError, _incomplete)
    app.add_exception_handler(RetrainingError, _unavailable)
    app.add_exception_handler(Exception, _broken)
    return app


def _refused(request: "Request", error: Any) -> "Response":
    from include.retraining.ui.rendering import message

    title, sentence = REFUSALS.get(error.status_code, ("This cannot be shown", "The address or the method is wrong."))
    return message(request, error.status_code, title, sentence)


def _incomplete(request: "Request", error: Any) -> "Response":
    from include.retraining.ui.rendering import message

    missing = ", ".join(sorted({str(one["loc"][-1]) for one in error.errors()}))
    return message(
        request, 400, "This address is incomplete", f"It needs {missing}. Open this page from Airflow's menu."
    )


def _unavailable(request: "Request", error: Any) -> "Response":
    from include.retraining.errors import ObjectMissing
    from include.retraining.ui.rendering import message

    if isinstance(error, ObjectMissing):
        return message(request, 404, *REFUSALS[404])
    logger.warning("The pages cannot read the store: %s", error)
    return message(request, 503, "The store cannot be read", *str(error).splitlines(), "Nothing is lost; reload later.")


def _broken(request: "Request", error: Exception) -> "Response":
    from include.retraining.ui.rendering import message

    sentence = f"The page ran into {type(error).__name__}; the API server's log has the rest."
    return message(request, 500, "Something broke", sentence)
