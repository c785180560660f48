"""Data Docs in Airflow: the list of a model's intervals, one published page, and the page of a run."""

import re
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Request, Response

from include.retraining import specs
from include.retraining.ui import catalogue, runs
from include.retraining.ui.auth import get_user, readable_dags, requires_access_dag
from include.retraining.ui.catalogue import SHOWN, Catalogue
from include.retraining.ui.documents import LONGEST_SEARCH, Document, Entry, Wanted
from include.retraining.ui.rendering import document, message, render

DAG_PREFIX = "retrain_"
PREVIEWED = 5
OUTCOMES = ("pass", "warn", "fail")
EXPECTATION = re.compile(r"[0-9a-f]{12}")

User = Annotated[Any, Depends(get_user)]


def wanted(outcome: str = "", failed: str = "", text: str = "") -> Wanted:
    """Return which intervals an address asks for; what cannot be meant is left out."""
    return Wanted(
        outcome if outcome in OUTCOMES else "",
        failed if EXPECTATION.fullmatch(failed) else "",
        text.strip()[:LONGEST_SEARCH],
    )


Sought = Annotated[Wanted, Depends(wanted)]


def list_data_docs(request: Request, user: User, sought: Sought, dag_id: str = "", before: str = "") -> Response:
    """Show each model's intervals, newest first; one model in full, several in short."""
    readable = readable_dags(user)
    models = [name for name in specs.names() if f"{DAG_PREFIX}{name}" in readable]
    if dag_id:
        if dag_id not in readable:
            raise HTTPException(403)
        models = [model for model in models if f"{DAG_PREFIX}{model}" == dag_id] or [model_of(dag_id)]
    shown = SHOWN if len(models) == 1 else PREVIEWED
    shelf = catalogue.opened()
    listed = [(model, shelf.listing(model, sought, before if dag_id else "", shown)) for model in models]
    return render(request, "list.html", listed=listed, sought=sought, before=before, alone=len(models) == 1)


def show_data_docs(request: Request, dag_id: str, interval: str, name: str) -> Response:
    """Show one page of Data Docs in its frame."""
    model, shelf = model_of(dag_id), catalogue.opened()
    entry, shown = _found(shelf, model, interval, name)
    older, newer = shelf.neighbours(model, interval)
    links = {"older": _first(shelf, model, older), "newer": _first(shelf, model, newer)}
    return render(request, "page.html", model=model, dag_id=dag_id, entry=entry, shown=shown, links=links)


def read_data_docs(dag_id: str, interval: str, name: str) -> Response:
    """Return the published page itself, sandboxed."""
    html = catalogue.opened().html(model_of(dag_id), interval, name)
    if html is None:
        raise HTTPException(404)
    return document(html)


def show_run(request: Request, dag_id: str, run_id: str) -> Response:
    """Show what a run decided, and its Data Docs."""
    model = dag_id.removeprefix(DAG_PREFIX)
    if not dag_id.startswith(DAG_PREFIX) or model not in specs.names():
        return message(
            request, 200, "No Data Docs here", f"{dag_id} does not retrain a model, so its runs have no Data Docs."
        )
    shelf = catalogue.opened()
    prefix = runs.find(shelf.store, model, run_id)
    story = runs.story(shelf.store, prefix) if prefix else runs.Story()
    entry = shelf.entry(model, story.span) if story.span else None
    shown = next((one for one in entry.documents if one.name == story.name), None) if entry else None
    is_pinned = prefix is not None
    return render(
        request, "run.html", dag_id=dag_id, story=story, entry=entry, shown=shown, model=model, is_pinned=is_pinned
    )


def model_of(dag_id: str) -> str:
    """Return the model that a DAG retrains; there is no page for any other."""
    model = dag_id.removeprefix(DAG_PREFIX)
    if not dag_id.startswith(DAG_PREFIX) or model not in specs.names():
        raise HTTPException(404)
    return model


def _found(shelf: Catalogue, model: str, span: str, name: str) -> tuple[Entry, Document]:
    entry = shelf.entry(model, span)
    for shown in entry.documents if entry else ():
        if entry and shown.name == name:
            return entry, shown
    raise HTTPException(404)


def _first(shelf: Catalogue, model: str, span: str | None) -> tuple[str, str, str] | None:
    """Return title, span and name of an interval's first page, for a link."""
    entry = shelf.entry(model, span) if span else None
    return (entry.title, entry.span, entry.documents[0].name) if entry else None


router = APIRouter()
_permitted = [Depends(requires_access_dag("GET"))]
router.add_api_route("/data-docs", list_data_docs)
router.add_api_route("/data-docs/{dag_id}/{interval}/{name}", show_data_docs, dependencies=_permitted)
router.add_api_route("/data-docs/{dag_id}/{interval}/{name}/raw", read_data_docs, dependencies=_permitted)
router.add_api_route("/run", show_run, dependencies=_permitted)
