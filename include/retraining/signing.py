"""Signs manifests and log entries; verifies artifacts, then loads them through an allow-listing unpickler.

Nothing is unpickled before signature, size and hash have been checked, and then only classes and functions on our own
list can be named by the pickle. The list is code: it never comes from the artifact.
"""

import hashlib
import hmac
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from include.retraining.errors import IntegrityError

ALGORITHM = "HMAC-SHA256"

ALLOWED: frozenset[tuple[str, str]] = frozenset(
    (module, name)
    for module, names in {
        "builtins": "slice",
        "functools": "partial",
        "joblib.numpy_pickle": "NumpyArrayWrapper",
        "numpy": "clip dtype float64 ndarray",
        "numpy._core.multiarray": "_reconstruct scalar",
        "numpy.random._pcg64": "PCG64",
        "numpy.random._pickle": "__bit_generator_ctor __generator_ctor",
        "numpy.random.bit_generator": "SeedSequence __pyx_unpickle_SeedSequence",
        "sklearn._loss._loss": "CyHalfBinomialLoss",
        "sklearn._loss.link": "Interval LogitLink",
        "sklearn._loss.loss": "HalfBinomialLoss",
        "sklearn.compose._column_transformer": "ColumnTransformer",
        "sklearn.ensemble._hist_gradient_boosting.binning": "_BinMapper",
        "sklearn.ensemble._hist_gradient_boosting.gradient_boosting": "HistGradientBoostingClassifier",
        "sklearn.ensemble._hist_gradient_boosting.predictor": "TreePredictor",
        "sklearn.impute._base": "MissingIndicator SimpleImputer",
        "sklearn.linear_model._logistic": "LogisticRegression",
        "sklearn.pipeline": "Pipeline",
        "sklearn.preprocessing._data": "StandardScaler",
        "sklearn.preprocessing._encoders": "OneHotEncoder OrdinalEncoder",
        "sklearn.preprocessing._function_transformer": "FunctionTransformer",
        "sklearn.preprocessing._label": "LabelEncoder",
        "sklearn.utils.validation": "check_array",
    }.items()
    for name in names.split()
)
"""Exact (module, name) pairs that an artifact may name: learned from our own candidates by a test."""


@dataclass(frozen=True, repr=False)
class Keyring:
    """Signing keys by id; the active one signs, all of them verify, so that keys can be rotated."""

    active: str
    secrets: dict[str, str]

    def __repr__(self) -> str:
        """Return key ids alone."""
        return f"Keyring(active={self.active!r}, known={sorted(self.secrets)})"


def canonical(content: Any) -> bytes:
    """Return the one byte form of JSON content: sorted keys, no spaces, no NaN.

    >>> canonical({"b": 1, "a": [True, None]})
    b'{"a":[true,null],"b":1}'
    """
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode()


def sha256(data: bytes) -> str:
    """Return the sha256 of bytes, in hex."""
    return hashlib.sha256(data).hexdigest()


def sign(content: dict[str, Any], keyring: Keyring) -> dict[str, Any]:
    """Return the content with a ``signature`` over everything else in it."""
    unsigned = {key: value for key, value in content.items() if key != "signature"}
    mac = _mac(unsigned, keyring.secrets[keyring.active])
    return {**unsigned, "signature": {"algorithm": ALGORITHM, "key_id": keyring.active, "mac": mac}}


def verify(data: bytes, keyring: Keyring, what: str) -> dict[str, Any]:
    """Return signed JSON content after checking its signature.

    Parameters
    ----------
    data : bytes
        The stored JSON.
    keyring : Keyring
        Every key that is still trusted.
    what : str
        The object's key, for messages.

    Raises
    ------
    IntegrityError
        It is not JSON, not signed, signed with an unknown key, or altered.
    """
    content = read_json(data, what)
    signature = content.get("signature")
    if not isinstance(signature, dict) or signature.get("algorithm") != ALGORITHM:
        raise IntegrityError(
            f"{what} is not signed ({ALGORITHM} expected). Nothing of it is used; restore the original."
        )
    secret = keyring.secrets.get(str(signature.get("key_id")))
    if secret is None:
        raise IntegrityError(
            f"{what} is signed with key {signature.get('key_id')!r}, which Connection `signing` does not know "
            f"(known: {sorted(keyring.secrets)}). Add it to the Connection's extra under `retired`, or restore."
        )
    unsigned = {key: value for key, value in content.items() if key != "signature"}
    if not _is_mac_of(unsigned, secret, str(signature.get("mac"))):
        raise IntegrityError(f"{what}: the signature does not match, so it was altered. Restore the original.")
    return content


def read_json(data: bytes, what: str) -> dict[str, Any]:
    """Return a JSON object; raises IntegrityError, naming the object, for anything else."""
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise IntegrityError(f"{what} is not JSON ({error}); it is torn or altered. Restore the original.") from None
    if not isinstance(content, dict):
        raise IntegrityError(f"{what} holds {type(content).__name__}, expected a JSON object. Restore the original.")
    return content


def check_bytes(found: tuple[str, int], expected: dict[str, Any], what: str) -> None:
    """Raise IntegrityError unless (sha256, size in bytes) are what the manifest says."""
    if found[1] != expected["size_bytes"]:
        raise IntegrityError(
            f"{what} has {found[1]} bytes, its manifest says {expected['size_bytes']}. Restore the original."
        )
    if not hmac.compare_digest(found[0], expected["sha256"]):
        raise IntegrityError(f"{what}: the sha256 is {found[0]}, its manifest says {expected['sha256']}. Restore it.")


def load_artifact(path: Path, what: str) -> Any:
    """Return the estimator in a file whose hash has been checked already.

    Raises
    ------
    IntegrityError
        The pickle names something that is not on our list; nothing of it has run.
    """
    from joblib import numpy_pickle

    class AllowListing(numpy_pickle.NumpyUnpickler):  # type: ignore[misc]
        """joblib's unpickler, which finds only what is on our list."""

        def find_class(self, module: str, name: str) -> Any:
            if (module, name) not in ALLOWED:
                raise IntegrityError(
                    f"{what} names {module}.{name}, which no artifact of ours holds; nothing was loaded. "
                    "If a new candidate needs it, add the pair to ALLOWED in include/retraining/signing.py."
                )
            return super().find_class(module, name)

    with path.open("rb") as source:
        try:
            return AllowListing(str(path), source, ensure_native_byte_order=True).load()
        except IntegrityError:
            raise
        except Exception as error:  # a damaged pickle can fail in any way
            raise IntegrityError(f"{what} cannot be loaded: {error}. Check the library versions.") from error


def _is_mac_of(content: dict[str, Any], secret: str, mac: str) -> bool:
    try:
        return hmac.compare_digest(_mac(content, secret).encode(), mac.encode())
    except ValueError:  # NaN or half a character: no content of ours
        return False


def _mac(content: dict[str, Any], secret: str) -> str:
    return hmac.new(secret.encode(), canonical(content), hashlib.sha256).hexdigest()
