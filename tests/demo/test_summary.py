"""The table that ends a demo."""

from datetime import date

from demo import summary

ROWS = [
    {
        "day": date(2013, 1, 27),
        "rows": 827,
        "validation": "pass",
        "champion_loss": None,
        "drift": "",
        "decision": "retrain",
        "reasons": "There is no champion yet.",
        "version": "20130124-0123456789ab",
        "promoted": True,
    },
    {
        "day": date(2013, 1, 28),
        "rows": 1923,
        "validation": "warn",
        "champion_loss": 0.48651,
        "drift": "Shifted today: temp; an alarm needs two intervals in a row.",
        "decision": "keep",
        "reasons": "It is as good as it was.",
        "version": "20130124-0123456789ab",
        "promoted": False,
    },
]


def test_table():
    assert summary.table(ROWS).splitlines() == [
        "day          rows  validation  champion's loss  drift          decision  version",
        "----------  -----  ----------  ---------------  -------------  --------  -----------------------",
        "Sun 27 Jan    827  pass                      -  -              retrain   20130124-0123456789ab *",
        "Mon 28 Jan  1,923  warn                 0.4865  shifted today  keep      20130124-0123456789ab",
    ]


def test_table_without_rows_is_its_head():
    assert summary.table([]).splitlines()[0].startswith("day  rows")


def test_notes_tell_the_days_on_which_something_happened():
    quiet = {**ROWS[1], "drift": "Stable."}
    assert summary.notes([*ROWS, quiet]) == [
        "27 Jan  retrain: There is no champion yet.",
        "28 Jan  drift: Shifted today: temp; an alarm needs two intervals in a row.",
    ]
