"""Signatures hold or are refused, and no pickle runs anything that our own candidates do not name."""

import io
import json
import subprocess
import sys
import zlib

import joblib
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from joblib.numpy_pickle import NumpyArrayWrapper, NumpyUnpickler

from include.retraining import signing, training
from include.retraining.errors import IntegrityError
from tests.retraining import toy

RING = signing.Keyring("key-1", {"key-1": "s" * 40})
CONTENT = {"model": "m", "number": 1, "nested": {"losses": [0.25, None, True, "ü"]}}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda held: st.lists(held, max_size=4) | st.dictionaries(st.text(max_size=5), held, max_size=4),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text(max_size=8).filter(lambda name: name != "signature"), JSON, max_size=5)


def signed(content: dict[str, object], ring: signing.Keyring = RING) -> bytes:
    return signing.canonical(signing.sign(content, ring))


@given(OBJECTS)
def test_canonical_json_reads_back_and_has_one_form(content):
    data = signing.canonical(content)
    assert json.loads(data) == content
    assert signing.canonical(dict(reversed(content.items()))) == data
    assert signing.canonical(json.loads(data)) == data


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {"deep": [float("-inf")]}])
def test_what_is_no_number_is_no_content(value):
    with pytest.raises(ValueError, match="Out of range float values"):
        signing.canonical(value)


@given(OBJECTS)
def test_what_was_signed_verifies(content):
    found = signing.verify(signed(content), RING, "m/x")
    assert {name: found[name] for name in found if name != "signature"} == content


@given(OBJECTS, st.text(max_size=8).filter(lambda name: name != "signature"), JSON)
def test_any_other_content_does_not_verify(content, name, value):
    altered = json.loads(signed(content)) | {name: value}
    if signing.canonical(altered) != signed(content):
        with pytest.raises(IntegrityError, match=r"m/x: the signature does not match, so it was altered"):
            signing.verify(signing.canonical(altered), RING, "m/x")


def test_layout_of_the_json_does_not_count():
    laid_out = json.dumps(signing.sign(CONTENT, RING), indent=2).encode()
    assert signing.verify(laid_out, RING, "m/x")["number"] == 1


def test_signing_again_signs_the_same():
    assert signing.sign(signing.sign(CONTENT, RING), RING) == signing.sign(CONTENT, RING)


MAC = signing.sign(CONTENT, RING)["signature"]
REFUSED = {
    "unsigned": (signing.canonical(CONTENT), r"m/x is not signed \(HMAC-SHA256 expected\)"),
    "no object as signature": (signing.canonical({**CONTENT, "signature": "x"}), "is not signed"),
    "no algorithm": (signing.canonical({**CONTENT, "signature": {**MAC, "algorithm": "none"}}), "is not signed"),
    "foreign key": (signed(CONTENT, signing.Keyring("key-9", {"key-9": "t" * 40})), "signed with key 'key-9', which"),
    "foreign secret": (signed(CONTENT, signing.Keyring("key-1", {"key-1": "t" * 40})), "signature does not match"),
    "empty mac": (signing.canonical({**CONTENT, "signature": {**MAC, "mac": ""}}), "signature does not match"),
    "mac that is no text": (signing.canonical({**CONTENT, "signature": {**MAC, "mac": None}}), "does not match"),
    "mac of other letters": (signing.canonical({**CONTENT, "signature": {**MAC, "mac": "ü"}}), "does not match"),
    "not a number": (b'{"a":NaN,' + signed({})[1:], "signature does not match"),
    "beyond numbers": (b'{"a":1e999,' + signed({})[1:], "signature does not match"),
    "torn": (signed(CONTENT)[:-5], "is not JSON"),
    "empty": (b"", "is not JSON"),
    "not text": (b"\xff\xfe\x00", "is not JSON"),
    "a list": (b"[]", "holds list, expected a JSON object"),
    "bottomless": (b'{"a":' + b"[" * 200_000, "is not JSON"),
}


@pytest.mark.parametrize(("data", "message"), REFUSED.values(), ids=REFUSED)
def test_what_is_not_signed_by_a_known_key_is_refused(data, message):
    with pytest.raises(IntegrityError, match=message):
        signing.verify(data, RING, "m/x")


def test_a_retired_key_still_verifies_and_the_active_one_signs():
    rotated = signing.Keyring("key-2", {"key-1": "s" * 40, "key-2": "n" * 40})
    assert signing.verify(signed(CONTENT), rotated, "m/x")["number"] == 1
    assert signing.sign(CONTENT, rotated)["signature"]["key_id"] == "key-2"


def test_a_keyring_shows_no_secret():
    assert repr(RING) == "Keyring(active='key-1', known=['key-1'])"


@pytest.mark.parametrize(
    ("found", "message"), [(("a" * 64, 9), "has 9 bytes, its manifest says 10"), (("b" * 64, 10), "the sha256 is bbb")]
)
def test_other_bytes_than_the_manifests_are_refused(found, message):
    with pytest.raises(IntegrityError, match=message):
        signing.check_bytes(found, {"sha256": "a" * 64, "size_bytes": 10}, "m/x")


@pytest.fixture(scope="module")
def artifacts() -> dict[str, bytes]:
    """Return each candidate's artifact, fitted on rows with every kind of value."""
    spec, rows = toy.spec(), pd.concat([toy.rows(number) for number in range(4)], ignore_index=True)
    return {one.name: training.dump(training.fit(one, rows, spec)) for one in spec.candidates}


def test_the_list_holds_exactly_what_our_candidates_name(artifacts):
    named = set()

    class Recording(NumpyUnpickler):
        def find_class(self, module, name):
            named.add((module, name))
            return super().find_class(module, name)

    for data in artifacts.values():
        Recording("x", io.BytesIO(data), ensure_native_byte_order=True).load()
    assert named == signing.ALLOWED


def test_no_pair_on_the_list_is_ours_or_runs_what_it_is_told():
    modules = {module for module, _ in signing.ALLOWED}
    assert not [module for module in modules if module.startswith(("include", "os", "subprocess", "importlib"))]
    assert ("builtins", "eval") not in signing.ALLOWED
    assert ("builtins", "getattr") not in signing.ALLOWED


def test_artifacts_load_where_our_code_is_not_and_predict_the_same(artifacts, tmp_path):
    """They hold library estimators only, so any service with scikit-learn can load them."""
    spec, row = toy.spec(), {"weight": [12.0], "distance": [float("nan")], "region": ["moon"], "carrier": ["van"]}
    here = []
    for name, data in artifacts.items():
        (tmp_path / name).write_bytes(data)
        here.append(training.predict(signing.load_artifact(tmp_path / name, name), pd.DataFrame(row), spec)[0])
    script = (
        "import importlib.util; assert importlib.util.find_spec('include') is None\n"
        "import joblib, pandas; nan = float('nan')\n"
        f"for name in {list(artifacts)}: print(joblib.load(name).predict_proba(pandas.DataFrame({row}))[0, 1])"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", script], cwd=tmp_path, capture_output=True, check=True, text=True
    )
    assert [float(line) for line in done.stdout.split()] == here


class Payload:
    """Pickles as a call."""

    def __init__(self, call, *arguments) -> None:
        self.call, self.arguments = call, arguments

    def __reduce__(self):
        return self.call, self.arguments


def behind_an_array(payload: Payload) -> bytes:
    """Return an artifact whose object array holds the payload: scanners stop reading before it."""
    return dumped([np.arange(3.0), np.array([payload], dtype=object)])


def dumped(content: object) -> bytes:
    sink = io.BytesIO()
    joblib.dump(content, sink)
    return sink.getvalue()


def hostile(marker: str) -> dict[str, bytes]:
    """Return payloads that would make a file if anything of them ran."""
    import importlib
    import os

    touch = Payload(os.system, f"touch {marker}")
    write = Payload(exec, f"open({marker!r}, 'w')")
    return {
        "os.system": dumped(touch),
        "exec": dumped(write),
        "eval": dumped(Payload(eval, f"open({marker!r}, 'w')")),
        "importlib": dumped(Payload(importlib.import_module, "antigravity")),
        "subprocess": dumped(Payload(subprocess.run, ["touch", marker])),
        "behind an array": dumped([np.arange(3.0), touch]),
        "in an object array": behind_an_array(touch),
        "in a frame": dumped(pd.DataFrame({"a": [touch]})),
        "inside an estimator": dumped({"model": training.Pipeline([("x", touch)])}),
        "a class of ours": dumped(toy.spec().windows),
    }


@pytest.mark.parametrize("name", hostile("x"))
def test_a_payload_is_named_and_never_runs(name, tmp_path):
    path, marker = tmp_path / "model.joblib", tmp_path / "it-ran"
    path.write_bytes(hostile(str(marker))[name])
    with pytest.raises(IntegrityError, match=r"m/x names [\w.]+, which no artifact of ours holds; nothing was loaded"):
        signing.load_artifact(path, "m/x")
    assert not marker.exists()
    assert "antigravity" not in sys.modules


def huge() -> bytes:
    """Return an array that says it has a million million rows."""
    return dumped(NumpyArrayWrapper(np.ndarray, (10**15,), "C", np.dtype("float64")))


@pytest.mark.parametrize(
    "damage",
    [lambda data: b"", lambda data: data[:200], lambda data: data[:-200], zlib.compress, lambda data: huge()],
    ids=["empty", "cut early", "cut late", "compressed", "an array beyond memory"],
)
def test_a_damaged_artifact_is_told(artifacts, damage, tmp_path):
    path = tmp_path / "model.joblib"
    path.write_bytes(damage(artifacts["logistic_regression"]))
    with pytest.raises(IntegrityError, match=r"m/x cannot be loaded: .*Check the library versions"):
        signing.load_artifact(path, "m/x")
