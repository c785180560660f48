"""No pickle does anything that our own candidates' pickles do not do."""

import _compat_pickle
import io
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from joblib.numpy_pickle import NumpyUnpickler
from sklearn.ensemble import RandomForestClassifier

from include.retraining import training, unpickling
from include.retraining.errors import IntegrityError
from include.retraining.spec import Candidate
from tests.conftest import ROOT
from tests.retraining import hostile, toy

SPEC = toy.spec()
ARRAYS = {
    "small numbers": np.arange(3, dtype="i1"),
    "floats": np.arange(3, dtype="f4"),
    "foreign bytes": np.arange(3, dtype=">f8"),
    "complex numbers": np.array([1j]),
    "truths": np.array([True, False]),
    "text": np.array(["a", "bcd"]),
    "bytes": np.array([b"a", b"bcd"]),
    "moments": np.array(["2024-01-01"], dtype="M8[ns]"),
    "durations": np.array([1], dtype="m8[s]"),
    "columns first": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "a number": np.array(5.0),
    "nothing": np.zeros((0, 3)),
    "objects": np.array([[None], ["a"]], dtype=object),
    "records": np.zeros(2, dtype=[("a", "f8"), ("b", "i4")]),
    "aligned records": np.zeros(2, dtype=np.dtype([("a", "i1"), ("b", "f8")], align=True)),
}
TORN = {
    "cut early": lambda data: data[:200],
    "cut late": lambda data: data[:-200],
    "twice cut": lambda data: data[9:-9],
}


@pytest.fixture(scope="module")
def artifacts() -> dict[str, bytes]:
    """Return the artifact of each candidate of each task, fitted on rows with every kind of value."""
    rows, made = pd.concat([toy.task_rows(number) for number in range(4)], ignore_index=True), {}
    for task in toy.LABELS:
        spec = toy.task_spec(task)
        made |= {
            f"{task} {one.name}": training.dump(training.fit(one, rows, spec))
            for one in (Candidate("baseline"), *spec.candidates)
        }
    return made


def load(folder: Path, data: bytes, also: frozenset[tuple[str, str]] = frozenset()) -> object:
    path = folder / "model.joblib"
    path.write_bytes(data)
    return unpickling.load_artifact(path, "m/x", also)


def test_the_lists_hold_exactly_what_our_candidates_name_and_call(artifacts):
    named, called = set(), set()

    class Recording(NumpyUnpickler):
        dispatch = NumpyUnpickler.dispatch.copy()

        def find_class(self, module, name):
            named.add((module, name))
            return super().find_class(module, name)

        def load_reduce(self):
            called.add(self.stack[-2].__name__)
            super().load_reduce()

        dispatch[pickle.REDUCE[0]] = load_reduce

    for data in artifacts.values():
        Recording("x", io.BytesIO(data), ensure_native_byte_order=True).load()
    assert named == unpickling.ALLOWED
    assert called | {"_reconstruct"} == {name for _, name in unpickling.CALLED}  # arrays of objects are pickles apart
    assert set(unpickling.CALLED) <= unpickling.ALLOWED


def test_no_name_on_the_list_is_found_under_another_by_an_old_protocol():
    """Python maps names of Python 2 after it was asked for them."""
    assert not unpickling.ALLOWED & set(_compat_pickle.NAME_MAPPING)
    assert not {module for module, _ in unpickling.ALLOWED} & set(_compat_pickle.IMPORT_MAPPING)


def test_no_pair_on_the_list_is_ours_or_runs_what_it_is_told():
    modules = {module for module, _ in unpickling.ALLOWED}
    assert not [module for module in modules if module.startswith(("include", "os", "subprocess", "importlib"))]
    assert ("builtins", "eval") not in unpickling.ALLOWED
    assert ("builtins", "getattr") not in unpickling.ALLOWED


def test_artifacts_load_where_our_code_is_not_and_predict_the_same(artifacts, tmp_path):
    """They hold library estimators only, so any service with scikit-learn can load them."""
    row, here = {"weight": [12.0], "distance": [float("nan")], "region": ["moon"], "carrier": ["van"]}, []
    for name, data in artifacts.items():
        spec = toy.task_spec(name.split()[0])
        here.append(np.ravel(training.predict(load(tmp_path, data), pd.DataFrame(row), spec)).tolist())
        (tmp_path / name).write_bytes(data)
    script = (
        "import importlib.util; assert importlib.util.find_spec('include') is None\n"
        "import joblib, pandas; nan = float('nan')\n"
        f"row = pandas.DataFrame({row})\n"
        f"for name in {list(artifacts)}:\n"
        "    model, task = joblib.load(name), name.split()[0]\n"
        "    found = model.predict(row) if task == 'regression' else model.predict_proba(row)\n"
        "    print((found[:, 1] if task == 'binary' else found).ravel().tolist())"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", script], cwd=tmp_path, capture_output=True, check=True, text=True
    )
    assert [json.loads(line) for line in done.stdout.splitlines()] == here


LIVE = {**hostile.live("x"), **hostile.compressed("x")}


@pytest.mark.parametrize("name", LIVE)
def test_a_payload_never_runs_here_though_it_runs_elsewhere(name, tmp_path):
    marker = tmp_path / "it-ran"
    data = {**hostile.live(str(marker)), **hostile.compressed(str(marker))}[name]
    with pytest.raises(IntegrityError, match=hostile.TORN if name in hostile.compressed("x") else hostile.FOREIGN):
        load(tmp_path, data)
    assert not marker.exists()
    joblib.load(io.BytesIO(data))
    assert marker.exists()


@pytest.mark.parametrize("name", hostile.crafty())
def test_nothing_on_the_list_can_be_used_in_another_way(name, tmp_path):
    data, message = hostile.crafty()[name]
    with pytest.raises(IntegrityError, match=message) as refused:
        load(tmp_path, data)
    assert refused.value.check == ("loading" if message == hostile.TORN else "allow-list")
    assert "antigravity" not in sys.modules


def test_no_pickle_unfolds_into_more_than_its_file(tmp_path):
    """The whole catalogue, in a process whose memory is measured: each bomb would take 64 MiB or more."""
    for place, (data, _) in enumerate(hostile.crafty().values()):
        (tmp_path / f"{place}.joblib").write_bytes(data)
    script = (
        "import resource\nfrom pathlib import Path\nfrom include.retraining import training, unpickling\n"
        "def most(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024\n"
        "before = most()\n"
        f"for path in Path({str(tmp_path)!r}).glob('*.joblib'):\n"
        "    try: unpickling.load_artifact(path, 'm/x')\n"
        "    except unpickling.IntegrityError: pass\n"
        "    else: raise SystemExit(f'{path} was loaded')\n"
        "print(most() - before)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert int(done.stdout or -1) in range(40), done.stderr


def test_what_a_spec_allows_may_be_named_and_called(tmp_path):
    data = hostile.dumped(hostile.Payload(os.path.basename, "m/x"))
    with pytest.raises(IntegrityError, match=r'names posixpath.basename, .*add "posixpath:basename" to `allowed`'):
        load(tmp_path, data)
    assert load(tmp_path, data, frozenset({("posixpath", "basename")})) == "x"


def test_an_estimator_that_a_spec_allows_needs_its_names_only(tmp_path):
    """A forest: its trees are made with arguments, its seed is an older kind of generator."""
    random = np.random.default_rng(0)
    rows = random.normal(size=(60, 3))
    forest = RandomForestClassifier(3, random_state=np.random.RandomState(0)).fit(rows, rows[:, 0] > 0)
    names = {
        "sklearn.ensemble._forest": ["RandomForestClassifier"],
        "sklearn.tree._classes": ["DecisionTreeClassifier"],
        "sklearn.tree._tree": ["Tree"],
        "numpy.random._pickle": ["__randomstate_ctor"],
        "numpy.random._mt19937": ["MT19937"],
    }
    also = frozenset((module, name) for module, held in names.items() for name in held)
    loaded = load(tmp_path, hostile.dumped(forest), also)
    assert (loaded.predict_proba(rows) == forest.predict_proba(rows)).all()
    for left_out in also:
        with pytest.raises(IntegrityError, match=f"names {'.'.join(left_out)}, which"):
            load(tmp_path, hostile.dumped(forest), also - {left_out})


def test_what_a_spec_still_has_to_allow_is_listed_whole_whoever_holds_it():
    """Named, called with arguments, and inside an array of objects, which is a pickle of its own."""
    random = np.random.default_rng(0)
    rows = random.normal(size=(60, 3))
    forest = RandomForestClassifier(2, random_state=0).fit(rows, rows[:, 0] > 0)
    alone = np.empty(1, dtype=object)
    alone[0] = forest
    held = [hostile.Payload(os.path.basename, "m/x"), alone]
    found = unpickling.unlisted(hostile.dumped(held), "x")
    assert found == sorted(found)
    assert {":".join(pair) for pair in found} == {
        "numpy._core.numeric:_frombuffer",
        "posixpath:basename",
        "sklearn.ensemble._forest:RandomForestClassifier",
        "sklearn.tree._classes:DecisionTreeClassifier",
        "sklearn.tree._tree:Tree",
    }
    assert unpickling.unlisted(hostile.dumped(held), "x", frozenset(found)) == []


def test_our_own_candidates_need_nothing_more(artifacts):
    assert [unpickling.unlisted(data, name) for name, data in artifacts.items()] == [[]] * len(artifacts)


@pytest.mark.parametrize("name", ARRAYS)
def test_an_array_of_any_kind_is_what_it_was(name, tmp_path):
    first, second = load(tmp_path, hostile.dumped([ARRAYS[name], ARRAYS[name].copy()]))
    assert np.array_equal(first, ARRAYS[name])
    assert first.dtype == ARRAYS[name].dtype.newbyteorder("=")
    assert np.array_equal(first, second)


@pytest.mark.parametrize("damage", TORN.values(), ids=TORN)
def test_a_damaged_artifact_is_told(artifacts, damage, tmp_path):
    with pytest.raises(IntegrityError, match=hostile.TORN):
        load(tmp_path, damage(artifacts["binary logistic_regression"]))
