"""Which differences between library releases refuse an artifact, and which do not."""

import pytest

from include.retraining import libraries
from include.retraining.errors import IntegrityError

HERE = libraries.versions()


def other(name: str, version: str) -> dict[str, str]:
    return {**HERE, name: version}


def test_the_same_libraries_load():
    libraries.check(HERE, "m/x")


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("scikit-learn", HERE["scikit-learn"].rpartition(".")[0] + ".99"),
        ("numpy", HERE["numpy"].partition(".")[0] + ".99.0"),
        ("pandas", "0.1"),
        ("scipy", "0.1"),
        ("python", HERE["python"].partition(".")[0] + ".99.0"),
    ],
)
def test_a_release_that_keeps_reading_its_pickles_loads(name, version):
    libraries.check(other(name, version), "m/x")


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("scikit-learn", "1.1.0"),
        ("scikit-learn", "99.0.0"),
        ("numpy", "1.26.4"),
        ("joblib", "0.17.0"),
        ("python", "2.7"),
    ],
)
def test_a_release_that_may_not_is_refused_with_what_to_do(name, version):
    with pytest.raises(
        IntegrityError, match=rf"m/x was written by {name} {version}, here is {HERE[name]}\. Install the former"
    ) as caught:
        libraries.check(other(name, version), "m/x")
    assert caught.value.check == "libraries"


@pytest.mark.parametrize("written", [None, [], "text", {}, {"python": HERE["python"]}])
def test_a_manifest_without_versions_is_refused(written):
    with pytest.raises(IntegrityError, match=r"was written by .* None"):
        libraries.check(written, "m/x")
