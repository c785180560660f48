"""Estimators by import path: found, made, and held to what their task asks before they are believed."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from include.retraining import estimators, libraries, signing, training
from include.retraining.errors import DataError, SpecError
from include.retraining.spec import Candidate
from tests.retraining import toy, wayward

ROWS = pd.concat([toy.task_rows(number) for number in range(4)], ignore_index=True)
FRESH = toy.task_rows(9)
GOOD = {
    "binary": ["sklearn.ensemble:RandomForestClassifier", "sklearn.neighbors:KNeighborsClassifier"],
    "multiclass": ["sklearn.tree:DecisionTreeClassifier", "sklearn.naive_bayes:GaussianNB"],
    "regression": ["sklearn.ensemble:RandomForestRegressor", "sklearn.svm:LinearSVR"],
}
CASES = [(task, name) for task, names in GOOD.items() for name in names]
HERE = "tests.retraining.wayward"


def fit(name: str, task: str = "binary", **parameters: object):
    return training.fit(Candidate(name, parameters), ROWS, toy.task_spec(task))


@pytest.mark.parametrize(("task", "name"), CASES)
def test_an_estimator_of_the_library_gets_the_preparation_of_the_linear_ones_and_predicts_what_it_never_saw(task, name):
    fitted, spec = fit(name, task), toy.task_spec(task)
    assert [step for step, _ in fitted.steps] == ["prepare", "model"]
    rows = FRESH.assign(region="moon", carrier=None, weight=float("nan"))
    assert np.isfinite(training.predict(fitted, rows, spec)).all()


def test_a_function_that_makes_an_estimator_will_do():
    assert fit(f"{HERE}:three_neighbours")[-1].n_neighbors == 3


def test_parameters_are_handed_on_and_the_seed_is_the_specs_unless_they_have_one():
    first, second = (estimators.made(Candidate(CASES[0][1], held), "binary", 7) for held in ({}, {"random_state": 3}))
    assert (first.random_state, second.random_state) == (7, 3)
    assert estimators.made(Candidate(CASES[1][1], {"n_neighbors": 9}), "binary", 7).n_neighbors == 9


def test_the_same_seed_makes_the_same_bytes():
    first, second = (training.dump(fit(CASES[0][1], n_estimators=3)) for _ in range(2))
    assert first == second


UNUSABLE = {
    "no module": (
        "no_such_package.part:Name",
        "cannot be imported: ModuleNotFoundError: .* Install it where tasks run",
    ),
    "no name": ("sklearn.ensemble:NoForest", "cannot be imported: AttributeError: .*NoForest"),
    "no class": (f"{HERE}:NO_ESTIMATOR", "is a str; expected a class, or a function that makes one"),
    "no estimator": ("pathlib:Path", "has no fit and no predict_proba; a binary candidate needs fit and predict_proba"),
    "no chances": ("sklearn.svm:LinearSVC", "has no predict_proba; a binary candidate needs"),
    "a regressor": ("sklearn.linear_model:Lasso", "has no predict_proba; a binary candidate needs"),
}


@pytest.mark.parametrize(("name", "message"), UNUSABLE.values(), ids=UNUSABLE)
def test_a_path_that_leads_to_no_estimator_is_told(name, message):
    with pytest.raises(SpecError, match=f"Candidate {name} {message}"):
        fit(name)


def test_a_classifier_is_no_regression():
    with pytest.raises(SpecError, match=r"predicts classes, the task is regression\. Name a regressor"):
        fit("sklearn.ensemble:RandomForestClassifier", "regression")


def test_parameters_that_it_does_not_take_are_told():
    with pytest.raises(
        SpecError, match=r"cannot be made of \{'trees': 3\}: TypeError: .*'trees'.* Mend its parameters"
    ):
        fit("sklearn.ensemble:RandomForestClassifier", trees=3)


WAYWARD = {
    "NaN": ("Nothing", r"answers NaN or infinity for 80 of 240 rows"),
    "one column": (
        "OneColumn",
        r"answers float64 of shape \(240,\) for 240 rows; numbers of shape \(240, 2\) are expected",
    ),
    "text": ("Words", r"answers <U\d+ of shape \(240, 2\) for 240 rows; numbers"),
    "percentages": ("Percentages", "answers chances below 0, above 1 or not summing to 1 for 240 of 240 rows"),
    "classes the other way round": ("Reversed", r"has the classes \[1.0, 0.0\], its labels are \[0.0, 1.0\]"),
    "no classes": ("Classless", r"has the classes \[\], its labels are"),
    "a failure": ("Failing", "cannot predict: KeyError: 'no such column'"),
    "a failing fit": ("Unfit", "cannot be trained: RuntimeError: the solver gave up"),
}


@pytest.mark.parametrize(("name", "message"), WAYWARD.values(), ids=WAYWARD)
def test_an_estimator_that_answers_what_no_task_can_use_fails_by_name(name, message):
    with pytest.raises(DataError, match=f"Candidate {HERE}:{name} {message}"):
        fit(f"{HERE}:{name}")


def test_a_regression_answers_one_number_a_row():
    with pytest.raises(DataError, match=r"answers float64 of shape \(240, 1\) .* shape \(240,\) are expected"):
        fit(f"{HERE}:Means", "regression")


def test_classes_are_told_without_what_could_deceive_the_eye():
    with pytest.raises(DataError, match=r"has the classes \[\], its labels are \[a, b, c, d, e, …\] \(6\)"):
        estimators.check_classes("x", object(), "abcdef")


def test_our_own_candidates_are_what_the_sources_of_training_say():
    assert estimators.identity("ridge") == {}


def test_a_module_of_python_itself_has_no_file_of_its_own():
    assert estimators.identity("sys:exit") == {}
    with pytest.raises(SpecError, match="no_such_package:Name cannot be imported"):
        estimators.identity("no_such_package:Name")


def test_an_imported_candidate_is_its_library_or_else_its_module():
    assert estimators.identity(CASES[0][1]) == {"scikit-learn": libraries.versions()["scikit-learn"]}
    source = Path(wayward.__file__).read_bytes()
    assert estimators.identity(f"{HERE}:Shares") == {HERE: signing.sha256(source)}
