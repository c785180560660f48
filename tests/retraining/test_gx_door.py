"""Great Expectations comes without what it rarely needs, and with it as soon as something of it is used."""

import subprocess
import sys

import pytest

from tests.conftest import ROOT

VALIDATED = """
import sys
import pandas as pd
from include.retraining.expectations import Suite
from include.retraining.validation import About, validate
from tests.retraining import toy

DIVERGES = {"column": "t", "partition_object": {"values": ["a", "b"], "weights": [0.5, 0.5]}, "threshold": 0.01}
MEAN = {"column": "x", "max_value": 1}
ASKED = {"expect_column_mean_to_be_between": MEAN, "expect_column_kl_divergence_to_be_less_than": DIVERGES}

def told(*kinds):
    listed = tuple({"type": one, "kwargs": ASKED[one], "severity": "info", "notes": "", "on": "rows"} for one in kinds)
    frame = pd.DataFrame({"x": [1.0, 2.0, 3.0], "t": ["a", "a", "b"]})
    found = validate(frame, Suite("s", listed, "rows"), About("m", toy.day(0), "a" * 64))
    return [row["observed"] for row in found.result["expectations"]], len(found.html) > 1000

heavy = lambda: [name for name in ("altair", "scipy.stats") if name in sys.modules]
"""


def run(script: str) -> list[str]:
    asked = [sys.executable, "-W", "ignore", "-c", VALIDATED + script]
    return subprocess.run(asked, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()


def test_a_validation_and_its_page_need_neither_statistics_nor_charts():
    assert run("print(told('expect_column_mean_to_be_between'), heavy())") == ["(['2'], True) []"]


def test_the_one_expectation_that_needs_them_has_them_and_everybody_else_too():
    told = run(
        "print(told('expect_column_kl_divergence_to_be_less_than'))\n"
        "print(heavy())\n"
        "import altair, scipy.stats\n"
        "from scipy.stats import norm\n"
        "import scipy.stats.distributions\n"
        "print(type(scipy.stats).__name__, type(altair).__name__, norm.cdf(0))\n"
    )
    assert told == ["(['0.05663: a 66.7 %, b 33.3 %'], True)", "['altair', 'scipy.stats']", "module module 0.5"]


@pytest.mark.parametrize("asked", ["from scipy.stats import norm", "import scipy.stats.distributions"])
def test_whoever_imports_them_meanwhile_gets_them(asked):
    told = run(
        "from include.retraining import gx_door\n"
        "with gx_door._later(gx_door.LATER):\n"
        f"    {asked}\n"
        "import scipy.stats\n"
        "print(type(scipy.stats).__name__, scipy.stats.norm.cdf(0))\n"
    )
    assert told == ["module 0.5"]


def test_what_was_imported_before_stays():
    told = run(
        "import scipy.stats\n"
        "before = scipy.stats\n"
        "told('expect_column_mean_to_be_between')\n"
        "from great_expectations.expectations.core import expect_column_kl_divergence_to_be_less_than as one\n"
        "print(one.stats is before, sys.modules['scipy.stats'] is before)\n"
    )
    assert told == ["True True"]
