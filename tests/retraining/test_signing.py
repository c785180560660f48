"""Signatures hold or are refused, whatever the content."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.retraining import signing
from include.retraining.errors import IntegrityError

RING = signing.Keyring("key-1", {"key-1": "s" * 40})
CONTENT = {"model": "m", "number": 1, "nested": {"losses": [0.25, None, True, "ü"]}}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda held: st.lists(held, max_size=4) | st.dictionaries(st.text(max_size=5), held, max_size=4),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text(max_size=8).filter(lambda name: name != "signature"), JSON, max_size=5)


def signed(content: dict[str, object], ring: signing.Keyring = RING) -> bytes:
    return signing.canonical(signing.sign(content, ring, "note"))


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
    found = signing.verify(signed(content), RING, "m/x", "note")
    assert {name: found[name] for name in found if name != "signature"} == {**content, "kind": "note"}


@given(OBJECTS, st.text(max_size=8).filter(lambda name: name != "signature"), JSON)
def test_any_other_content_does_not_verify(content, name, value):
    altered = json.loads(signed(content)) | {name: value}
    if signing.canonical(altered) != signed(content):
        with pytest.raises(IntegrityError, match=r"m/x: the signature does not match, so it was altered"):
            signing.verify(signing.canonical(altered), RING, "m/x", "note")


def test_layout_of_the_json_does_not_count():
    laid_out = json.dumps(signing.sign(CONTENT, RING, "note"), indent=2).encode()
    assert signing.verify(laid_out, RING, "m/x", "note")["number"] == 1


def test_signing_again_signs_the_same():
    assert signing.sign(signing.sign(CONTENT, RING, "note"), RING, "note") == signing.sign(CONTENT, RING, "note")


MAC = signing.sign(CONTENT, RING, "note")["signature"]
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
        signing.verify(data, RING, "m/x", "note")


def test_a_retired_key_still_verifies_and_the_active_one_signs():
    rotated = signing.Keyring("key-2", {"key-1": "s" * 40, "key-2": "n" * 40})
    assert signing.verify(signed(CONTENT), rotated, "m/x", "note")["number"] == 1
    assert signing.sign(CONTENT, rotated, "note")["signature"]["key_id"] == "key-2"


def test_a_keyring_shows_no_secret():
    assert repr(RING) == "Keyring(active='key-1', known=['key-1'])"


@pytest.mark.parametrize(
    ("found", "message"), [(("a" * 64, 9), "has 9 bytes, its manifest says 10"), (("b" * 64, 10), "the sha256 is bbb")]
)
def test_other_bytes_than_the_manifests_are_refused(found, message):
    with pytest.raises(IntegrityError, match=message):
        signing.check_bytes(found, {"sha256": "a" * 64, "size_bytes": 10}, "m/x")


@pytest.mark.parametrize("depth", range(900, 1100))
def test_brackets_without_end_are_no_content_of_ours_however_deep(depth):
    """Somewhere in there it can be read and not written again."""
    data = b'{"a":' + b"[" * depth + b"]" * depth + b"," + signed({})[1:]
    with pytest.raises(IntegrityError):
        signing.verify(data, RING, "m/x", "note")
    with pytest.raises(IntegrityError):
        signing.unseal(data, "m/x")
