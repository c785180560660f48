"""The model card says what a version is for, what it saw and how it was chosen."""

from include.retraining import model_card
from tests.retraining import toy

ABOUT = {
    "candidate": "logistic_regression",
    "rows": 480,
    "intervals": ["a", "b"],
    "base_rate": 0.4321,
    "training_window": {"start": "2024-01-01T00:00:00+00:00", "end": "2024-01-09T00:00:00+00:00"},
    "selection": {"reason": "It is the simplest.", "losses": {"logistic_regression": 0.5}, "floor_loss": 0.69},
    "treatment": {"kept": ["weight"], "dropped": ["distance"], "low": [1.0], "high": [19.5], "medians": [10.0]},
    "features": ["weight", "region", "carrier"],
    "missing_shares": {"weight": 0.0, "distance": 1.0},
    "libraries": {"scikit-learn": "1.9.0"},
}
CARD = model_card.render(toy.spec(), "20240109-0123456789ab", ABOUT)


def test_it_opens_with_the_version_and_the_purpose():
    assert CARD.startswith("# parcels 20240109-0123456789ab\n\nTell which parcels will be late.\n")


def test_it_says_what_was_seen_and_how_it_was_chosen():
    for said in (
        "480 rows of 2 intervals, 2024-01-01T00:00:00+00:00 to 2024-01-09T00:00:00+00:00, end excluded",
        "base rate 0.4321",
        "logistic_regression. It is the simplest.",
        "logistic_regression 0.5000; base rate alone 0.6900",
        "`late`, known 1 day, 0:00:00 after an interval's end",
        "3 kept: weight, region, carrier.",
        "| weight | 1 | 10 | 19.5 |",
        "Largest missing shares in training: distance 100.0%, weight 0.0%.",
        "scikit-learn 1.9.0",
    ):
        assert said in CARD


def test_a_feature_without_any_value_is_named():
    assert "Dropped because no training row had a value: distance." in CARD


def test_it_says_what_drift_is_measured_against():
    drifting = {"intervals": 56, "rows": 912.5, "weekdays": ["Monday", "Sunday"]}
    card = model_card.render(toy.spec(), "v", {**ABOUT, "drift": drifting})
    assert "compared with 56 training intervals of about 912 rows; a Monday, Sunday with those of the same day." in card
    assert "## Drift" not in CARD, "a version of an earlier release does not tell it"


def test_nothing_dropped_is_said_too():
    treated = {**ABOUT["treatment"], "dropped": []}
    card = model_card.render(toy.spec(), "v", {**ABOUT, "treatment": treated})
    assert "Dropped because no training row had a value: none." in card


def test_a_feature_that_never_changed_is_named():
    card = model_card.render(toy.spec(), "v", {**ABOUT, "constant": ["weight"]})
    assert "The same in every training row, so nothing was learned from it: weight." in card
    assert "The same in every" not in CARD


def test_a_selection_names_what_was_kept_and_dropped_with_its_scores():
    selected = {
        "kept": {"weight": {"mean": 0.25, "high": 0.31}, "region": {"mean": None, "high": None}},
        "dropped": {"distance": {"mean": -0.0012345, "high": 0.0}},
    }
    card = model_card.render(toy.spec(), "v", {**ABOUT, "importance": selected})
    for line in (
        "| weight | 0.25 | 0.31 | kept |",
        "| region | not measured | not measured | kept |",
        "| distance | -0.001234 | 0 | dropped |",
    ):
        assert line in card
    assert "## Importance" not in CARD


def test_the_same_training_has_the_same_card_whoever_asked():
    """Two runs that train one version at once must write one card."""
    asked = [{**ABOUT, "asked_by": name, "reason": name, "run": name} for name in ("ann", "bob")]
    assert len({model_card.render(toy.spec(), "v", about) for about in asked}) == 1


def test_the_card_of_a_regression_names_its_loss_and_the_mean_that_it_has_to_beat():
    selection = {"reason": "It is the simplest.", "losses": {"ridge": 1614.2}, "floor_loss": 1826.56}
    about = {**ABOUT, "floor": 3.47, "selection": selection}
    card = model_card.render(toy.spec(task="regression"), "v", about)
    assert "end excluded; training mean 3.4700" in card
    assert "- **Squared error over temporal folds:** ridge 1,614; training mean alone 1,827" in card


def test_the_card_of_classes_names_their_shares():
    about = {**ABOUT, "floor": {"early": 0.24, "on\u202etime": 0.76}}
    card = model_card.render(toy.spec(task="multiclass"), "v", about)
    assert "end excluded; class shares early 24.0%, on\\u202etime 76.0%" in card
    assert "- **Log loss over temporal folds:** logistic_regression 0.5000; class shares alone 0.6900" in card


def test_it_says_why_it_was_trained_question_by_question():
    step = {"question": "Is a challenger due?", "found": "21 intervals since the last one", "answer": "retrain"}
    decision = {"sentences": ["One is due."], "path": [step], "would_change": ["Fewer than 21 intervals."]}
    card = model_card.render(toy.spec(), "v", {**ABOUT, "decision": decision})
    assert "## Why it was trained\n\nOne is due.\n" in card
    assert "| Is a challenger due? | 21 intervals since the last one | retrain |" in card
    assert "Would have changed it: Fewer than 21 intervals." in card
    assert "Why it was trained" not in CARD, "a version of an earlier release does not tell it"
