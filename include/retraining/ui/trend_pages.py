"""Trends in Airflow: what each expectation of a model found over time, and one of them at large."""

from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, HTTPException, Request, Response

from include.retraining.ui import catalogue
from include.retraining.ui.auth import requires_access_dag
from include.retraining.ui.data_docs_pages import model_of
from include.retraining.ui.plots import Sample, draw
from include.retraining.ui.rendering import render
from include.retraining.ui.trends import STATES, Point, Trend, trends

INTERVALS = 90


def list_trends(request: Request, dag_id: str) -> Response:
    """Show every expectation of a model over its newest intervals, the worst first."""
    model = model_of(dag_id)
    entries = catalogue.opened().newest(model, INTERVALS)
    bounds = [entries[place].interval.start for place in (-1, 0)] if entries else []
    drawn = [(trend, draw(_samples(trend), *bounds)) for trend in trends(entries)]
    broken = [one for one in drawn if one[0].is_current and one[0].failed]
    fine = [one for one in drawn if one[0].is_current and not one[0].failed]
    gone = [one for one in drawn if not one[0].is_current]
    groups = [("Did not hold at least once", broken), ("Always held", fine), ("No longer in the suite", gone)]
    return render(request, "trends.html", dag_id=dag_id, model=model, entries=entries, groups=groups)


def show_trend(request: Request, dag_id: str, expectation: str) -> Response:
    """Show one expectation at large, with every interval in words."""
    model = model_of(dag_id)
    entries = catalogue.opened().newest(model, INTERVALS)
    trend = next((one for one in trends(entries) if one.id == expectation), None)
    if trend is None:
        raise HTTPException(404)
    told = {"trend": trend, "drawing": draw(_samples(trend)), "dates": _dates(trend)}
    return render(request, "trend.html", 200, dag_id=dag_id, model=model, **told)


def _samples(trend: Trend) -> list[Sample]:
    return [_sample(one) for one in trend.points]


def _dates(trend: Trend) -> list[str]:
    """Return the days below a plot: the first, the one half way, the last."""
    first, last = (trend.points[place].entry.interval.start for place in (0, -1))
    middle = first + (last - first) / 2
    zone = ZoneInfo(trend.points[-1].entry.timezone)
    return list(dict.fromkeys(f"{one.astimezone(zone):%Y-%m-%d}" for one in (first, middle, last)))


def _sample(point: Point) -> Sample:
    one = point.judgement
    words = f"{point.entry.title}: {STATES[one.state]}, found {one.observed}"
    return Sample(point.entry.interval.start, one.state, words, one.number, one.low, one.high)


router = APIRouter()
_permitted = [Depends(requires_access_dag("GET"))]
router.add_api_route("/data-docs/{dag_id}/trends", list_trends, dependencies=_permitted)
router.add_api_route("/data-docs/{dag_id}/trends/{expectation}", show_trend, dependencies=_permitted)
