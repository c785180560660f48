"""Pickles that would run something, change something or fill the memory, if anybody let them."""

import bz2
import functools
import gzip
import importlib
import io
import lzma
import os
import pickle
import subprocess
import zlib
from typing import Any

import joblib
import numpy as np
import pandas as pd
from joblib.numpy_pickle import NumpyArrayWrapper
from sklearn.pipeline import Pipeline

from tests.retraining import toy

FOREIGN = r"names [\w.]+, which no artifact of ours holds"
ODD = r"in a way of its own, as no artifact of ours does"
TORN = r"cannot be loaded: .*Check the library versions"
BOMB = 1 << 30
"""Bytes that a bomb would unfold into."""


class Payload:
    """Pickles as a call."""

    def __init__(self, call: Any, *arguments: Any) -> None:
        self.call, self.arguments = call, arguments

    def __reduce__(self):
        return self.call, self.arguments


def dumped(content: object, **options: Any) -> bytes:
    """Return what joblib writes."""
    sink = io.BytesIO()
    joblib.dump(content, sink, **options)
    return sink.getvalue()


def text(value: str) -> bytes:
    return b"\x8c" + bytes([len(value.encode())]) + value.encode()


def value(plain: Any) -> bytes:
    return pickle.dumps(plain, 2)[2:-1]


def held(data: bytes) -> bytes:
    return b"C" + bytes([len(data)]) + data


def named(module: str, name: str) -> bytes:
    return text(module) + text(name) + pickle.STACK_GLOBAL


def called(function: bytes, *arguments: bytes) -> bytes:
    return function + b"(" + b"".join(arguments) + b"tR"


def filled(instance: bytes, state: bytes) -> bytes:
    return instance + state + b"b"


def program(body: bytes) -> bytes:
    return b"\x80\x04" + body + b"."


DTYPE, NDARRAY = named("numpy", "dtype"), named("numpy", "ndarray")
RECONSTRUCT, SCALAR = (named("numpy._core.multiarray", name) for name in ("_reconstruct", "scalar"))
PARTIAL, SLICE = named("functools", "partial"), named("builtins", "slice")
WRAPPER = named("joblib.numpy_pickle", "NumpyArrayWrapper")
PIPELINE, INTERVAL = named("sklearn.pipeline", "Pipeline"), named("sklearn._loss.link", "Interval")
CLIP, CHECK = named("numpy", "clip"), named("sklearn.utils.validation", "check_array")
NEW = b")\x81"
STANDING = "where it stands, as no"


def dtype(code: str, state: bytes = b"") -> bytes:
    made = called(DTYPE, value(code), value(False), value(True))
    return filled(made, state) if state else made


def array(kind: bytes, shape: tuple[int, ...], values: bytes) -> bytes:
    made = called(RECONSTRUCT, NDARRAY, value((0,)), b"C\x01b")
    return filled(made, b"(" + value(1) + value(shape) + kind + value(False) + values + b"t")


def void_state(size: int, field: bytes = b"", flags: int = 16) -> bytes:
    """Return the state of a structured data type with one field; its flags say that it holds no object."""
    fields = text("a") + b"\x85" + b"}" + text("a") + field + value(0) + b"\x86s" if field else b"NN"
    return b"(" + value(3) + text("|") + b"N" + fields + value(size) + value(1) + value(flags) + b"t"


def objects(nested: bytes) -> bytes:
    """Return joblib's array of objects, which follow as a pickle of their own."""
    held = {"shape": value((1,)), "order": text("C"), "allow_mmap": value(False), "subclass": NDARRAY}
    held |= {"dtype": dtype("O8"), "numpy_array_alignment_bytes": value(16)}
    return filled(WRAPPER + NEW, b"}(" + b"".join(text(name) + one for name, one in held.items()) + b"u") + nested


def live(marker: str) -> dict[str, bytes]:
    """Return payloads that make the marker wherever they are loaded without our rules."""
    touch = Payload(os.system, f"touch {marker}")
    opened = f"open({marker!r}, 'w').close()"
    system, command = named("os", "system"), value(f"touch {marker}")
    from_memo = text("os") + b"\x940" + text("system") + b"\x940h\x00h\x01\x93"
    reads = "NumpyArrayWrapper.read.__globals__"
    read = called(named("joblib.numpy_pickle", f"{reads}.get"), text("os"))
    found = called(named("importlib", "import_module"), text("os"))
    return {
        "os.system": dumped(touch),
        "exec": dumped(Payload(exec, opened)),
        "eval": dumped(Payload(eval, opened)),
        "subprocess": dumped(Payload(subprocess.run, ["touch", marker])),
        "behind an array": dumped([np.arange(3.0), touch]),
        "in an array of objects": dumped([np.arange(3.0), np.array([touch], dtype=object)]),
        "in a frame": dumped(pd.DataFrame({"a": [touch]})),
        "inside an estimator": dumped({"model": Pipeline([("x", touch)])}),
        "in a partial": dumped(Payload(functools.partial(os.system, f"touch {marker}"))),
        "in a partial of a partial": dumped(
            Payload(functools.partial(functools.partial(os.system), f"touch {marker}"))
        ),
        "by the text protocol": f"cos\nsystem\n(S'touch {marker}'\ntR.".encode(),
        "by names of Python 2": b"\x80\x02c__builtin__\neval\n(" + value(opened) + b"tR.",
        "with its name from the memo": program(called(from_memo, command)),
        "by a dotted name": program(called(named("sklearn.utils.validation", "joblib.os.system"), command)),
        "by a dotted name in an allowed module": program(called(named("joblib.numpy_pickle", "os.system"), command)),
        "by a dotted name on an allowed class": program(read + b"0" + called(system, command)),
        "by a method found with getattr": program(
            called(called(named("builtins", "getattr"), found, text("system")), command)
        ),
        "as an old object": b"(" + system + command + b"o.",
    }


def compressed(marker: str) -> dict[str, bytes]:
    """Return the same call in every compression that joblib unfolds by itself."""
    touch = Payload(os.system, f"touch {marker}")
    return {f"in {kind}": dumped(touch, compress=(kind, 3)) for kind in ("zlib", "gzip", "bz2", "lzma", "xz")}


def crafty() -> dict[str, tuple[bytes, str]]:
    """Return pickles that name only what our own candidates name, or nothing, and what refuses them."""
    return {**changing(), **calling(), **reading(), **filling(), **torn()}


def changing() -> dict[str, tuple[bytes, str]]:
    """Return pickles that change how other models of the process work."""
    method, plain = value({"read": 1}), b"(" + value(3) + text("<") + b"NNN" + value(-1) + value(-1)
    slots = b"N" + value({"__kwdefaults__": {}}) + b"\x86"
    return {
        "changes a class": (program(filled(INTERVAL, slots)), f"changes sklearn._loss.link.Interval {STANDING}"),
        "changes a class by its own means": (program(filled(PIPELINE, method)), STANDING),
        "changes a class, in an array of objects": (
            program(objects(program(filled(INTERVAL, slots)))),
            f"changes sklearn._loss.link.Interval {STANDING}",
        ),
        "changes a function": (program(filled(CHECK, slots)), f"check_array {STANDING}"),
        "changes joblib": (program(filled(WRAPPER, slots)), f"NumpyArrayWrapper {STANDING}"),
        "changes a data type of numpy": (
            program(filled(called(DTYPE, value("f8")), plain + value(63) + b"t")),
            f"calls numpy.dtype {ODD}",
        ),
        "fills twice": (program(filled(filled(INTERVAL + NEW, value({"low": 0})), value({}))), STANDING),
        "takes the unpickler": (
            program(filled(WRAPPER + NEW, b"}" + text("read") + called(PARTIAL, SLICE) + b"s")),
            ODD,
        ),
        "reads in a way of its own": (program(filled(WRAPPER + NEW, method)), f"fills NumpyArrayWrapper {ODD}"),
    }


def calling() -> dict[str, tuple[bytes, str]]:
    """Return pickles that call what is there to be named only."""
    partial = filled(called(PARTIAL, CLIP), b"(" + NDARRAY + b")}Nt")
    return {
        "calls a function": (program(called(CLIP, value(1), value(0), value(2))), f"calls numpy.clip {ODD}"),
        "calls what it made": (program(called(called(PARTIAL, CLIP), value(1))), f"calls what it made {ODD}"),
        "calls a class through a partial": (program(called(PARTIAL, NDARRAY)), f"calls functools.partial {ODD}"),
        "puts a class into a partial": (program(partial), f"fills partial {ODD}"),
        "makes with arguments": (program(PIPELINE + value(([],)) + b"\x81"), f"makes sklearn.pipeline.Pipeline {ODD}"),
        "makes with named arguments": (program(PIPELINE + b")}\x92"), "another protocol"),
        "makes what is no class": (program(CHECK + NEW), TORN),
        "by an extension code": (program(b"\x82\x01"), "another protocol"),
        "by a persistent id": (b"Pmodel\n.", "another protocol"),
        "by an instruction of the first protocol": (b"(S'true'\nios\nsystem\n.", "another protocol"),
        "a module is imported": (dumped(Payload(importlib.import_module, "antigravity")), "importlib.import_module"),
        "a class of ours": (dumped(toy.spec().windows), "names include.retraining.policies.Windows"),
        "the oldest format of joblib": (program(named("joblib.numpy_pickle_compat", "ZNDArrayWrapper") + NEW), FOREIGN),
    }


def reading() -> dict[str, tuple[bytes, str]]:
    """Return pickles that read memory as what it is not."""
    flagless = b"(" + value(3) + text("|") + b"NNN" + value(-1) + value(-1) + value(0) + b"t"
    hidden = array(dtype("V8", void_state(8, dtype("O8"))), (1,), held(b"A" * 8))
    remembered = dtype("V8") + b"qc0" + array(b"hc", (1,), held(b"A" * 8))
    retyped = remembered + b"0" + filled(b"hc", void_state(8, dtype("O8"), 27))
    odd_type, odd_array = f"fills VoidDType {ODD}", f"fills ndarray {ODD}"
    return {
        "objects hidden in bytes": (program(hidden), odd_type),
        "bytes that become objects": (program(retyped), odd_type),
        "objects without their flag": (program(dtype("O8", flagless)), f"fills ObjectDType {ODD}"),
        "a data type that grows": (program(dtype("V8", void_state(4096))), odd_type),
        "records that grow": (program(dtype("V8", void_state(4096, dtype("f8")))), odd_type),
        "a number of too many bytes": (
            program(called(SCALAR, dtype("f8"), held(b"A" * 9))),
            f"multiarray.scalar {ODD}",
        ),
        "a data type of arrays": (program(dtype("f8,(9,9)f8")), f"calls numpy.dtype {ODD}"),
        "a field beyond its end": (program(dtype("V4", void_state(4, dtype("f8")))), TORN),
        "a generator that was not made": (program(named("numpy.random._pcg64", "PCG64") + NEW), f"PCG64 {ODD}"),
        "a list that is too short": (program(array(dtype("O8"), (9,), value([1]))), odd_array),
        "bytes that are too few": (program(array(dtype("f8"), (9,), held(b"A" * 8))), odd_array),
        "a shape below nothing": (program(array(dtype("f8"), (-1,), held(b""))), odd_array),
    }


@functools.cache
def filling() -> dict[str, tuple[bytes, str]]:
    """Return pickles that unfold into much more than they are."""
    zeros, objects = bytes(BOMB >> 4), (value((BOMB // 8,)), value("O"))
    wrapped = {name: NumpyArrayWrapper(np.ndarray, (size,), "C", np.dtype("float64")) for name, size in
               (("an array beyond memory", 10**15), ("an array longer than its file", BOMB // 8))}  # fmt: skip
    return {
        "an array of nothing": (program(called(NDARRAY, *objects)), f"calls numpy.ndarray {ODD}"),
        "an array made again": (program(called(RECONSTRUCT, NDARRAY, *objects)), f"multiarray._reconstruct {ODD}"),
        "a number of many bytes": (program(called(SCALAR, dtype(f"V{BOMB >> 1}"))), f"multiarray.scalar {ODD}"),
        **{name: (dumped(held), f"fills NumpyArrayWrapper {ODD}") for name, held in wrapped.items()},
        "a bomb in zlib": (zlib.compress(zeros), TORN),
        "a bomb in gzip": (gzip.compress(zeros), TORN),
        "a bomb in bz2": (bz2.compress(zeros), TORN),
        "a bomb in xz": (lzma.compress(zeros, preset=0), TORN),
    }


def torn() -> dict[str, tuple[bytes, str]]:
    """Return what is no pickle at all."""
    return {"nothing": (b"", TORN), "no pickle": (b"<html>not found</html>", TORN), "no end": (program(b"")[:2], TORN)}
