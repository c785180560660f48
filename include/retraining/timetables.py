"""Door: a spec's schedule as Airflow's own, and one that ends with the spec.

Airflow's `end_date` of a DAG would end it for people as well: Airflow never starts the tasks of a run that is triggered
by hand after it, and the run hangs. A file's spec has an end in the past, and is run by hand.
"""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow.timetables.interval import CronDataIntervalTimetable

if TYPE_CHECKING:
    from airflow.timetables.base import DagRunInfo

    from include.retraining.spec import ModelSpec


class EndingTimetable(CronDataIntervalTimetable):  # type: ignore[misc]
    """Airflow's intervals of a cron expression, those that end by a moment alone."""

    def __init__(self, cron: str, timezone: Any, end: datetime | None = None) -> None:
        super().__init__(cron, timezone)
        self.end = end

    def next_dagrun_info(self, **known: Any) -> "DagRunInfo | None":
        """Return the next run, or None when its interval would end after the schedule."""
        found = super().next_dagrun_info(**known)
        return None if found and self.end and found.data_interval.end > self.end else found

    def serialize(self) -> dict[str, Any]:
        """Return what Airflow keeps of it."""
        return {**super().serialize(), "end": self.end.isoformat() if self.end else None}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> "EndingTimetable":
        """Return it from what Airflow has kept."""
        found: EndingTimetable = super().deserialize(data)
        found.end = datetime.fromisoformat(data["end"]) if data["end"] else None
        return found


def of(spec: "ModelSpec") -> CronDataIntervalTimetable:
    """Return when the runs of a model are scheduled; ours, which the plugin registers, only where there is an end."""
    if spec.end is None:
        return CronDataIntervalTimetable(spec.schedule, spec.timezone)
    return EndingTimetable(spec.schedule, spec.timezone, spec.end)
