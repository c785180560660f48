"""Loads an artifact whose hash has been checked, and lets its pickle do only what our own candidates' pickles do.

A pickle is a program: it names things, calls them and sets their state. Here it names what is on a list, calls what our
candidates call and with such arguments only, and fills instances, each once and with a state of its kind. The rules
are code: they never come from the artifact. Whoever holds a signing key can still make a model that predicts nonsense
or crashes its task; it calls nothing else, and it changes nothing for other models.
"""

import io
import math
import pickle
import re
from collections.abc import Callable, Set
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO

import numpy as np
from joblib import numpy_pickle
from joblib.numpy_pickle import NumpyArrayWrapper
from numpy.random import BitGenerator, SeedSequence

from include.retraining.errors import IntegrityError

Pair = tuple[str, str]
ALIGNED = 0x80
"""numpy's flag of a data type whose fields lie where their kinds want them."""

ALLOWED: frozenset[Pair] = frozenset(
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
        "sklearn._loss._loss": "CyHalfBinomialLoss CyHalfMultinomialLoss CyHalfSquaredError "
        "__pyx_unpickle_CyHalfMultinomialLoss",
        "sklearn._loss.link": "IdentityLink Interval LogitLink MultinomialLogit",
        "sklearn._loss.loss": "HalfBinomialLoss HalfMultinomialLoss HalfSquaredError",
        "sklearn.compose._column_transformer": "ColumnTransformer",
        "sklearn.dummy": "DummyClassifier DummyRegressor",
        "sklearn.ensemble._hist_gradient_boosting.binning": "_BinMapper",
        "sklearn.ensemble._hist_gradient_boosting.gradient_boosting": "HistGradientBoostingClassifier "
        "HistGradientBoostingRegressor",
        "sklearn.ensemble._hist_gradient_boosting.predictor": "TreePredictor",
        "sklearn.impute._base": "MissingIndicator SimpleImputer",
        "sklearn.linear_model._logistic": "LogisticRegression",
        "sklearn.linear_model._ridge": "Ridge",
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


def _is_dtype(given: tuple[Any, ...]) -> bool:
    """Return whether a copy is asked for: without one, numpy's own data types would be changed for everybody."""
    return len(given) == 3 and given[1:] == (False, True) and re.fullmatch("[A-Za-z][0-9]{0,9}", given[0]) is not None


def _is_scalar(given: tuple[Any, ...]) -> bool:
    is_pair = len(given) == 2 and isinstance(given[0], np.dtype) and isinstance(given[1], bytes)
    return is_pair and not given[0].hasobject and len(given[1]) == given[0].itemsize


def _is_generator(given: tuple[Any, ...]) -> bool:
    return len(given) == 1 and isinstance(given[0], BitGenerator)


def _is_kind_of_generator(given: tuple[Any, ...]) -> bool:
    return len(given) == 1 and isinstance(given[0], type) and issubclass(given[0], BitGenerator)


def _is_seed(given: tuple[Any, ...]) -> bool:
    return len(given) == 3 and given[0] is SeedSequence and given[2] is None


def _is_multinomial(given: tuple[Any, ...]) -> bool:
    kind = given[0] if given else None
    named = isinstance(kind, type) and (kind.__module__, kind.__name__)
    return named == ("sklearn._loss._loss", "CyHalfMultinomialLoss") and given[2:] == ((),)


CALLED: MappingProxyType[Pair, Callable[[tuple[Any, ...]], bool]] = MappingProxyType(
    {
        ("builtins", "slice"): lambda given: all(isinstance(one, int | None) for one in given),
        ("functools", "partial"): lambda given: len(given) == 1 and not isinstance(given[0], type),
        ("numpy", "dtype"): _is_dtype,
        ("numpy._core.multiarray", "_reconstruct"): lambda given: given == (np.ndarray, (0,), b"b"),
        ("numpy._core.multiarray", "scalar"): _is_scalar,
        ("numpy.random._pickle", "__bit_generator_ctor"): _is_kind_of_generator,
        ("numpy.random._pickle", "__generator_ctor"): _is_generator,
        ("numpy.random.bit_generator", "__pyx_unpickle_SeedSequence"): _is_seed,
        ("sklearn._loss._loss", "CyHalfBinomialLoss"): lambda given: given == (),
        ("sklearn._loss._loss", "CyHalfSquaredError"): lambda given: given == (),
        ("sklearn._loss._loss", "__pyx_unpickle_CyHalfMultinomialLoss"): _is_multinomial,
    }
)
"""What an artifact may call, and with which arguments; everything else is made without any."""


def load_artifact(path: Path, what: str, also: frozenset[Pair] = frozenset()) -> Any:
    """Return the estimator in a file whose hash has been checked already.

    Parameters
    ----------
    path : Path
        The file, uncompressed: nothing can unfold into more than its manifest says.
    what : str
        The artifact's key, for messages.
    also : frozenset of (module, name)
        Pairs that the model's spec allows beyond our own list; they may be called with anything.

    Raises
    ------
    IntegrityError
        The pickle names, calls or changes something that no artifact of ours does; none of that has run.
    """
    with path.open("rb") as source:
        try:
            return _Unpickler(source, path.stat().st_size, what, also).load()
        except IntegrityError:
            raise
        except Exception as error:  # a damaged pickle can fail in any way
            told = f"{type(error).__name__}: {error}"
            raise IntegrityError(f"{what} cannot be loaded: {told}. Check the library versions.", "loading") from error


def unlisted(data: bytes, what: str, also: frozenset[Pair] = frozenset()) -> list[Pair]:
    """Return what a spec still has to allow before an artifact can be loaded, sorted.

    The artifact is loaded, whatever it names: only for bytes that this very process has made.

    Raises
    ------
    IntegrityError
        The pickle does something that no entry of a spec can allow.
    """
    allowed = set(also)
    _Listing(io.BytesIO(data), len(data), what, allowed).load()
    return sorted(allowed - also)


class _Unpickler(numpy_pickle.NumpyUnpickler):  # type: ignore[misc]
    """joblib's unpickler, held to the rules above."""

    dispatch = numpy_pickle.NumpyUnpickler.dispatch.copy()

    def __init__(self, source: BinaryIO, size: int, what: str, also: Set[Pair]) -> None:
        super().__init__("", source, ensure_native_byte_order=True)
        self._size, self._what, self._also = size, what, also
        self._named: dict[int, Pair] = {}
        self._filled: dict[int, Any] = {}
        self._held: list[Any] = []
        """What was named, so that nothing else gets its id."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ALLOWED and not self._allows((module, name)):
            raise IntegrityError(
                f"{self._what} names {module}.{name}, which no artifact of ours holds; nothing was loaded. "
                f'If you trust it, add "{module}:{name}" to `allowed` of the model\'s spec.',
                "allow-list",
            )
        found = super().find_class(module, name)
        self._named[id(found)] = (module, name)
        self._held.append(found)
        return found

    def load_reduce(self) -> None:
        called, given = self.stack[-2:]
        pair = self._named.get(id(called))
        fits = CALLED.get(pair) if pair else None
        if not (fits and isinstance(given, tuple) and fits(given)) and not self._allows(pair):
            self._refuse(f"calls {self._name_of(called)} in a way of its own")
        super().load_reduce()

    def load_newobj(self) -> None:
        made, given = self.stack[-2:]
        pair = self._named.get(id(made))
        if (pair is None or pair[0].startswith("numpy") or given != ()) and not self._allows(pair):
            self._refuse(f"makes {self._name_of(made)} in a way of its own")
        super().load_newobj()

    def load_build(self) -> None:
        filled, state = self.stack[-2:]
        if id(filled) in self._named or id(filled) in self._filled:
            self._refuse(f"changes {self._name_of(filled)} where it stands")
        self._filled[id(filled)] = filled  # held, so that no other object gets its id
        if not _is_state_of(filled, state, self._size) and not self._allows(self._named.get(id(type(filled)))):
            self._refuse(f"fills {type(filled).__name__} in a way of its own")
        if isinstance(filled, NumpyArrayWrapper) and state["dtype"].hasobject:
            self.stack[-2:] = [self._nested()]
        else:
            super().load_build()

    def refuse_instruction(self) -> None:
        self._refuse("holds an instruction of another protocol")

    def _nested(self) -> Any:
        """Return an array of objects, which follows as a pickle of its own: joblib's reader holds it to fewer rules."""
        nested = type(self)(self.file_handle, self._size, self._what, self._also)
        nested._filled = self._filled
        return nested.load()

    def _allows(self, pair: Pair | None) -> bool:
        return pair in self._also

    def _name_of(self, held: Any) -> str:
        pair = self._named.get(id(held))
        return ".".join(pair) if pair else "what it made"

    def _refuse(self, does: str) -> None:
        raise IntegrityError(f"{self._what} {does}, as no artifact of ours does; nothing was loaded.", "allow-list")

    dispatch[pickle.REDUCE[0]] = load_reduce
    dispatch[pickle.NEWOBJ[0]] = load_newobj
    dispatch[pickle.BUILD[0]] = load_build
    for _code in b"io\x92\x82\x83\x84PQ":  # INST, OBJ, NEWOBJ_EX, EXT1, EXT2, EXT4, PERSID, BINPERSID
        dispatch[_code] = refuse_instruction


class _Listing(_Unpickler):
    """Allows whatever has a name, and adds it to what is allowed, which it shares with the pickles inside."""

    _also: set[Pair]

    def _allows(self, pair: Pair | None) -> bool:
        self._also |= {pair} if pair else set()
        return pair is not None


def _is_state_of(filled: Any, state: Any, file_bytes: int) -> bool:
    """Return whether a state is one that the library itself wrote for such an object."""
    if isinstance(filled, NumpyArrayWrapper):
        return _is_wrapper_state(state) and _bytes_of(state) <= file_bytes
    if isinstance(filled, np.ndarray):
        return _is_array_state(state)
    if isinstance(filled, np.dtype):
        return isinstance(state, tuple) and len(state) in {8, 9} and _is_dtype_state(filled, *state[2:8])
    if type(filled).__module__ == "functools":
        return isinstance(state, tuple) and len(state) == 4 and state[0] is filled.func
    return isinstance(state, dict) or hasattr(filled, "__setstate__")


def _is_wrapper_state(state: Any) -> bool:
    fields = {"subclass", "shape", "order", "dtype", "allow_mmap", "numpy_array_alignment_bytes"}
    if not isinstance(state, dict) or set(state) != fields:
        return False
    return state["subclass"] is np.ndarray and isinstance(state["dtype"], np.dtype) and _is_shape(state["shape"])


def _bytes_of(wrapped: dict[str, Any]) -> int:
    """Return how many bytes of its file an array takes; objects lie there as a pickle of their own."""
    return 0 if wrapped["dtype"].hasobject else math.prod(wrapped["shape"]) * int(wrapped["dtype"].itemsize)


def _is_array_state(state: Any) -> bool:
    """Return whether there is a value for every place: numpy would read on beyond a list that is too short."""
    if not isinstance(state, tuple) or len(state) != 5 or not _is_shape(state[1]):
        return False
    _, shape, dtype, _, values = state
    if not isinstance(dtype, np.dtype) or not isinstance(values, list if dtype.hasobject else bytes):
        return False
    return len(values) == math.prod(shape) * (1 if dtype.hasobject else dtype.itemsize)


def _is_dtype_state(filled: np.dtype[Any], base: Any, names: Any, fields: Any, *numbers: int) -> bool:
    """Return whether numpy itself makes such a data type: another one would read any bytes as objects, or beyond them.

    Checked before it is set, since arrays of this type may be there already.
    """
    if base is not None:
        return False
    if names is None:
        sizes = {-1, filled.itemsize}, {-1, filled.alignment}, {filled.flags}
        return fields is None and all(number in known for number, known in zip(numbers, sizes, strict=True))
    formats, offsets = zip(*(fields[name] for name in names), strict=True)
    parts = {"names": list(names), "formats": list(formats), "offsets": list(offsets), "itemsize": filled.itemsize}
    fresh = np.dtype(parts, align=bool(numbers[2] & ALIGNED))  # type: ignore[call-overload]
    is_plain = all(isinstance(one, np.dtype) for one in formats) and not fresh.hasobject
    return is_plain and numbers == (filled.itemsize, fresh.alignment, fresh.flags)


def _is_shape(shape: Any) -> bool:
    return isinstance(shape, tuple) and all(isinstance(one, int) and one >= 0 for one in shape)
