"""The catalogue of broken objects: who is asked for each, which check refuses it, with which words, how it is made."""

import json

from include.retraining import keys, libraries, signing
from include.retraining.registry import ARTIFACT, CARD, MANIFEST, SMOKE
from tests.retraining import broken, hostile, toy
from tests.retraining.broken import ENTRY, MODEL, NEXT, OTHER, SECOND, Case, version_key
from tests.retraining.desks import FOREIGN, flip, trained, unsigned

LOADS = ("load", "load_live", "promote", "roll_back")
MANIFESTS = ("manifest", "file", *LOADS)
SIGNED = ("load", "promote", "roll_back")
"""A manifest that was signed again is another than the one that was promoted: there the chain breaks first."""
NEW = ("load_new", "promote_new", "roll_back_new")
ART, MAN, CAR, SMO = (version_key(name) for name in (ARTIFACT, MANIFEST, CARD, SMOKE))
HERE = libraries.versions()
FORMATS = {
    "of the future": 2,
    "0": 0,
    "that is text": "1",
    "that is true": True,
    "left out": ...,
    "null": None,
    "1.0": 1.5,
}
LISTED = {"left out": ..., "null": None, "a list": ["joblib"], "a text": "1.9"}
DEEP = b'{"a":' + b"[" * 925 + b"]" * 925 + b"}"
FILES = json.loads(
    signing.canonical(
        {name: {"sha256": signing.sha256(data), "size_bytes": len(data)} for name, data in trained().items()}
    )
)


ARTIFACTS = {
    "cut short": Case(
        LOADS, "size", "model.joblib has .* bytes, its manifest says", broken.written(ART, lambda data: data[:-1])
    ),
    "of no bytes": Case(LOADS, "size", "model.joblib has 0 bytes", broken.written(ART, lambda _: b"")),
    "with a bit flipped": Case(LOADS, "hash", "model.joblib: the sha256 is", broken.written(ART, flip)),
    "with a byte more": Case(
        LOADS, "size", "more than the .* bytes that its manifest says", broken.written(ART, lambda data: data + b"\0")
    ),
    "that is gone": Case(LOADS, "presence", "no object .*model.joblib", broken.removed(ART)),
    "of another version": Case(
        LOADS, "hash", "model.joblib: the sha256 is", broken.written(ART, lambda _: broken.another())
    ),
    "that is its own card": Case(LOADS, "size", "model.joblib has 6 bytes", broken.copied(CAR, ART)),
    "that this training did not make": Case(
        ("register",), "hash", "other bytes than this training made", broken.written(ART, flip)
    ),
}
FILED = {
    "a card with a bit flipped": Case(
        ("file",), "hash", "card.md: the sha256 is", broken.written(CAR, lambda data: data[:-1] + b"x")
    ),
    "a card with more": Case(
        ("file",), "size", "card.md has more than the 6 bytes", broken.written(CAR, lambda data: data + b"x")
    ),
    "a card that is gone": Case(("file",), "presence", "no object .*card.md", broken.removed(CAR)),
    "rows of the smoke test with a bit flipped": Case(
        LOADS, "hash", "smoke.json: the sha256 is", broken.written(SMO, flip)
    ),
    "rows of the smoke test that are gone": Case(LOADS, "presence", "no object .*smoke.json", broken.removed(SMO)),
}
MANIFEST_CASES = {
    "cut short": Case(MANIFESTS, "format", "manifest.json is not JSON", broken.written(MAN, lambda data: data[:-9])),
    "of no bytes": Case(MANIFESTS, "format", "manifest.json is not JSON", broken.written(MAN, lambda _: b"")),
    "that is a page": Case(MANIFESTS, "format", "manifest.json is not JSON", broken.written(MAN, lambda _: b"<html>")),
    "that is a list": Case(
        MANIFESTS, "format", "holds list, expected a JSON object", broken.written(MAN, lambda data: b"[" + data + b"]")
    ),
    "of brackets without end": Case(MANIFESTS, "signature", "is not signed", broken.written(MAN, lambda _: DEEP)),
    "that is gone": Case(MANIFESTS, "presence", "no object .*manifest.json", broken.removed(MAN)),
    "without a signature": Case(MANIFESTS, "signature", "is not signed", broken.written(MAN, unsigned)),
    "with a text as signature": Case(
        MANIFESTS,
        "signature",
        "is not signed",
        broken.written(MAN, lambda data: data.replace(b'"signature":{', b'"signature":"x","was":{')),
    ),
    "with no algorithm": Case(
        MANIFESTS, "signature", "is not signed", broken.written(MAN, broken.signature(algorithm="none"))
    ),
    "with an empty MAC": Case(MANIFESTS, "signature", "does not match", broken.written(MAN, broken.signature(mac=""))),
    "without a MAC": Case(MANIFESTS, "signature", "does not match", broken.written(MAN, broken.signature(mac=...))),
    "with a wrong signature": Case(
        MANIFESTS, "signature", "does not match", broken.written(MAN, lambda data: broken.by(FOREIGN, data))
    ),
    "of an unknown key": Case(
        MANIFESTS,
        "signature",
        "signed with key 'key-9', which",
        broken.written(MAN, lambda data: broken.by(broken.STRANGER, data)),
    ),
    "under another key's id": Case(
        MANIFESTS, "signature", "does not match", broken.written(MAN, broken.signature(key_id="key-2"))
    ),
    "with another reason": Case(
        MANIFESTS, "signature", "does not match", broken.written(MAN, lambda data: data.replace(b'"ann"', b'"bob"'))
    ),
    "of another model": Case(
        MANIFESTS,
        "identity",
        "describes letters .*: it was copied there",
        broken.copied(version_key(MANIFEST, SECOND, OTHER), MAN),
    ),
    "of another version": Case(
        MANIFESTS,
        "identity",
        "describes parcels 20240201-000000000003: it was copied",
        broken.copied(version_key(MANIFEST, broken.THIRD), MAN),
    ),
    "that is a candidate's": Case(
        MANIFESTS,
        "identity",
        "signed as a candidate, expected a version",
        lambda scene: scene.sign(MAN, scene.content(MAN), "candidate"),
    ),
    "that is a log entry": Case(
        MANIFESTS, "identity", "signed as a promotion log entry, expected a version", broken.copied(ENTRY, MAN)
    ),
    "of no kind": Case(
        MANIFESTS, "identity", "signed as a None", lambda scene: scene.sign(MAN, scene.content(MAN), None)
    ),
    "replaced by an older one that we signed": Case(
        ("load_live",), "chain", "is not the one that entry 2 made the champion", broken.manifest(asked_by="bob")
    ),
    "signed again by the active key": Case(
        ("load_live",), "chain", "is not the one that entry 2 made the champion", broken.manifest()
    ),
    **{
        f"with a format version {name}": Case(
            ("manifest", *SIGNED),
            "format",
            "has format_version .*, this release reads 1",
            broken.manifest(format_version=held),
        )
        for name, held in FORMATS.items()
    },
    **{
        f"with files {name}": Case(SIGNED, "format", "does not name model.joblib", broken.manifest(files=held))
        for name, held in LISTED.items()
    },
    **{
        f"with libraries {name}": Case(
            SIGNED, "libraries", "was written by python None", broken.manifest(libraries=held)
        )
        for name, held in LISTED.items()
    },
    "that names no artifact": Case(
        SIGNED, "format", "does not name model.joblib", broken.manifest(files={SMOKE: FILES[SMOKE]})
    ),
    "that names no rows of the smoke test": Case(
        SIGNED, "format", "does not name smoke.json", broken.manifest(files={ARTIFACT: FILES[ARTIFACT]})
    ),
    "with a size below nothing": Case(
        SIGNED, "format", "does not name model.joblib with size", broken.artifact_entry(size_bytes=-1)
    ),
    "with a size that is true": Case(
        SIGNED, "format", "does not name model.joblib with size", broken.artifact_entry(size_bytes=True)
    ),
    "with a size that is text": Case(
        SIGNED, "format", "does not name model.joblib with size", broken.artifact_entry(size_bytes="9")
    ),
    "with a size of half a byte": Case(
        SIGNED, "format", "does not name model.joblib with size", broken.artifact_entry(size_bytes=1.5)
    ),
    "without a size": Case(
        SIGNED, "format", "does not name model.joblib with size", broken.artifact_entry(size_bytes=...)
    ),
    "with a size of 10 GB": Case(
        SIGNED, "size", "its manifest says 10737418240", broken.artifact_entry(size_bytes=10 << 30)
    ),
    "with a size of one byte": Case(SIGNED, "size", "more than the 1 bytes", broken.artifact_entry(size_bytes=1)),
    "without a hash": Case(
        SIGNED, "format", "does not name model.joblib with size and sha256", broken.artifact_entry(sha256=...)
    ),
    "with half a hash": Case(
        SIGNED, "format", "does not name model.joblib with size and sha256", broken.artifact_entry(sha256="a" * 32)
    ),
    "with a hash of other letters": Case(
        SIGNED, "format", "does not name model.joblib with size and sha256", broken.artifact_entry(sha256="ü" * 64)
    ),
    "with another artifact's hash": Case(
        SIGNED, "hash", "model.joblib: the sha256 is", broken.artifact_entry(sha256="a" * 64)
    ),
    "of an older scikit-learn": Case(
        SIGNED,
        "libraries",
        "was written by scikit-learn 1.2.3, here is",
        broken.manifest(libraries={**HERE, "scikit-learn": "1.2.3"}),
    ),
    "of a newer scikit-learn": Case(
        SIGNED,
        "libraries",
        "was written by scikit-learn 99.0.0",
        broken.manifest(libraries={**HERE, "scikit-learn": "99.0.0"}),
    ),
    "of another numpy": Case(
        SIGNED, "libraries", "was written by numpy 1.26.4", broken.manifest(libraries={**HERE, "numpy": "1.26.4"})
    ),
    "of another joblib": Case(
        SIGNED, "libraries", "was written by joblib 0.17.0", broken.manifest(libraries={**HERE, "joblib": "0.17.0"})
    ),
    "of Python 2": Case(
        SIGNED, "libraries", "was written by python 2.7.18", broken.manifest(libraries={**HERE, "python": "2.7.18"})
    ),
    "of no library's version": Case(
        SIGNED,
        "libraries",
        "was written by numpy None",
        broken.manifest(libraries={name: held for name, held in HERE.items() if name != "numpy"}),
    ),
}
LOG = {
    "replayed as the next one": Case(
        ("head", "log"), "identity", "00000004.json is entry 2 of parcels: it was copied", broken.copied(ENTRY, NEXT)
    ),
    "of another model": Case(
        ("log", "entry", "live_at"),
        "identity",
        "is entry 2 of letters: it was copied",
        broken.copied(keys.promotion(OTHER, 2), ENTRY),
    ),
    "without its number": Case(("log", "entry"), "identity", "is entry None of parcels", broken.entry(number=...)),
    "with its number as text": Case(("log", "entry"), "identity", "is entry 2 of parcels", broken.entry(number="2")),
    "that is a hint": Case(
        ("log", "entry"),
        "identity",
        "signed as a champion hint, expected a promotion log entry",
        lambda scene: scene.sign(ENTRY, {"format_version": 1, "model": MODEL, "number": 2}, "champion hint"),
    ),
    "that is gone": Case(("log", "live_at"), "chain", "00000002.json is gone", broken.removed(ENTRY)),
    "without a signature": Case(("log", "entry"), "signature", "is not signed", broken.written(ENTRY, unsigned)),
    "of a stranger": Case(
        ("log", "entry"),
        "signature",
        "signed with key 'key-9'",
        broken.written(ENTRY, lambda data: broken.by(broken.STRANGER, data)),
    ),
    "with another reason": Case(
        ("log", "entry"),
        "signature",
        "does not match",
        broken.written(ENTRY, lambda data: data.replace(b'"better"', b'"bribed"')),
    ),
    "with another version": Case(
        ("log", "entry"),
        "signature",
        "does not match",
        broken.written(ENTRY, lambda data: data.replace(SECOND.encode(), broken.FIRST.encode())),
    ),
    "cut short": Case(("log", "entry"), "format", "is not JSON", broken.written(ENTRY, lambda data: data[:-1])),
    "that continues another": Case(
        ("log",), "chain", "00000002.json does not continue entry 1", broken.entry(previous_sha256="a" * 64)
    ),
    "that continues nothing": Case(
        ("log",), "chain", "00000002.json does not continue entry 1", broken.entry(previous_sha256=None)
    ),
    "with another reason, signed again": Case(
        ("log",), "chain", "00000003.json does not continue entry 2", broken.entry(reason="another")
    ),
    "that does not say what it continues": Case(
        ("log", "entry"), "format", "does not say who serves from when", broken.entry(previous_sha256=...)
    ),
    "without a version": Case(
        ("log", "entry"), "format", "does not say who serves from when", broken.entry(version=...)
    ),
    "without a manifest's hash": Case(
        ("log", "entry"), "format", "does not say who serves from when", broken.entry(manifest_sha256=...)
    ),
    "from no moment": Case(
        ("log", "entry", "live_at"),
        "format",
        "does not say who serves from when",
        broken.entry(effective_from="yesterday"),
    ),
    "from a number": Case(
        ("log", "entry"), "format", "does not say who serves from when", broken.entry(effective_from=20240201)
    ),
    **{
        f"with a format version {name}": Case(
            ("log", "entry"), "format", "has format_version", broken.entry(format_version=held)
        )
        for name, held in FORMATS.items()
    },
    "of a version that does not exist": Case(
        ("load_head",),
        "presence",
        "no object .*20240201-00000000000f/manifest.json",
        broken.entry(3, NEXT, number=4, version="20240201-00000000000f"),
    ),
    "of a version elsewhere": Case(
        ("load_head",),
        "format",
        "'../../letters/versions/x' is no version",
        broken.entry(3, NEXT, number=4, version="../../letters/versions/x"),
    ),
    "of another manifest": Case(
        ("load_head",),
        "chain",
        "is not the one that entry 4 made the champion",
        broken.entry(3, NEXT, number=4, manifest_sha256="a" * 64),
    ),
    "gone, the newest, while a hint names it": Case(
        ("head", "log", "promote_first"), "chain", "00000003.json is gone", broken.removed(keys.promotion(MODEL, 3))
    ),
    "gone, all of them, while a hint names one": Case(
        ("head", "log"), "chain", "is gone", broken.removed(*(keys.promotion(MODEL, number) for number in (1, 2, 3)))
    ),
    "that only a signed hint names": Case(("head", "log"), "chain", "is gone", broken.hint(9)),
}
PREDICTIONS = json.loads(trained()[SMOKE])["predictions"]
MADE = json.loads(trained()[SMOKE])["rows"]
SMOKES = {
    "other rows": Case(
        NEW, "smoke test", "predicts otherwise than when it was trained", broken.recorded(rows=[MADE[0], *MADE[:-1]])
    ),
    "fewer rows": Case(
        NEW, "smoke test", r"predicts otherwise .*\(by up to inf in 32 rows\)", broken.recorded(rows=MADE[1:])
    ),
    "no rows": Case(
        NEW, "smoke test", "cannot predict the rows stored with it", broken.recorded(rows=[], predictions=[])
    ),
    "other predictions": Case(
        NEW,
        "smoke test",
        "predicts otherwise than when it was trained",
        broken.recorded(predictions=[*PREDICTIONS[:-1], PREDICTIONS[-1] + 1e-5]),
    ),
    "one prediction": Case(
        NEW, "smoke test", r"\(by up to inf in 1 rows\)", broken.recorded(predictions=PREDICTIONS[0])
    ),
    "predictions that are text": Case(NEW, "smoke test", "cannot predict", broken.recorded(predictions=["half"] * 32)),
    "no predictions": Case(NEW, "smoke test", "cannot predict", broken.recorded(predictions=...)),
    "columns that do not exist": Case(
        NEW, "smoke test", "cannot predict", broken.recorded(numeric=["height", "width"])
    ),
    "a column fewer": Case(NEW, "smoke test", "cannot predict", broken.recorded(categorical=["region"])),
    "columns in another order": Case(
        NEW, "smoke test", "predicts otherwise|cannot predict", broken.recorded(numeric=["distance", "weight"])
    ),
    "a format of the future": Case(NEW, "format", "smoke.json has format_version 2", broken.recorded(format_version=2)),
    "a list": Case(NEW, "format", "smoke.json holds list", broken.version(smoke_json=b"[]")),
    "no JSON": Case(NEW, "format", "smoke.json is not JSON", broken.version(smoke_json=b"{")),
    "an estimator that predicts no number": Case(
        NEW, "smoke test", "by up to nan", lambda scene: broken.version(model_joblib=broken.estimators()["nan"])(scene)
    ),
    "an estimator of three classes": Case(
        NEW,
        "smoke test",
        "predicts otherwise",
        lambda scene: broken.version(model_joblib=broken.estimators()["three"])(scene),
    ),
    "an estimator of other rows": Case(
        NEW, "smoke test", "predicts otherwise", lambda scene: broken.version(model_joblib=broken.another())(scene)
    ),
    "a part of an estimator": Case(
        NEW,
        "smoke test",
        "cannot predict",
        lambda scene: broken.version(model_joblib=broken.estimators()["step"])(scene),
    ),
    "no estimator": Case(
        NEW,
        "smoke test",
        "cannot predict",
        lambda scene: broken.version(model_joblib=broken.estimators()["dict"])(scene),
    ),
}
INPUT_HINT = keys.run_hint(MODEL, "manual__1")
RECORDS = {
    "inputs with a bit flipped": Case(
        ("inputs", "find_inputs"),
        "hash",
        "inputs.json: its own sha256 does not match",
        broken.written(broken.PINNED, lambda data: data.replace(b'"as_of":"2024', b'"as_of":"2025')),
    ),
    "inputs cut short": Case(
        ("inputs",), "format", "inputs.json is not JSON", broken.written(broken.PINNED, lambda data: data[:-1])
    ),
    "inputs without a seal": Case(
        ("inputs",),
        "hash",
        "its own sha256 does not match",
        broken.written(
            broken.PINNED,
            lambda data: signing.canonical(
                {name: held for name, held in json.loads(data).items() if name != signing.SEAL}
            ),
        ),
    ),
    "inputs of the future": Case(
        ("inputs",),
        "format",
        "inputs.json has format_version 9",
        broken.written(broken.PINNED, lambda _: signing.seal({"format_version": 9})),
    ),
    "inputs that are gone": Case(("inputs",), "presence", "no object .*inputs.json", broken.removed(broken.PINNED)),
    "a hint to elsewhere": Case(
        ("find_inputs",),
        "identity",
        "names '../../etc/passwd', no inputs of run 'manual__1'",
        broken.written(INPUT_HINT, lambda _: b'{"inputs": "../../etc/passwd"}'),
    ),
    "a hint to another object": Case(
        ("find_inputs",),
        "identity",
        "no inputs of run 'manual__1'",
        broken.written(INPUT_HINT, lambda _: signing.canonical({"inputs": MAN})),
    ),
    "a record with a bit flipped": Case(
        ("sections",),
        "hash",
        "record-1.json: its own sha256 does not match",
        broken.written(keys.record(broken.PREFIX, 1), lambda data: data.replace(b'"keep"', b'"kept"')),
    ),
    "a record of the future": Case(
        ("sections",),
        "format",
        "record-2.json has format_version 9",
        lambda scene: scene.store.put(
            keys.record(broken.PREFIX, 2), signing.seal({"format_version": 9, "sections": {}})
        ),
    ),
    "rows with a bit flipped": Case(
        ("rows",), "hash", "rows.parquet: the sha256 is", lambda scene: broken.written(scene.frozen().key, flip)(scene)
    ),
    "rows cut short": Case(
        ("rows",),
        "size",
        "rows.parquet has .* bytes",
        lambda scene: broken.written(scene.frozen().key, lambda data: data[:-1])(scene),
    ),
    "rows that are gone": Case(
        ("rows",), "presence", "no object .*rows.parquet", lambda scene: scene.store.delete(scene.frozen().key)
    ),
    "a manifest of rows with another hash": Case(
        ("newest",),
        "signature",
        "does not match",
        lambda scene: broken.written(
            keys.rows_manifest(scene.frozen().key), lambda data: data.replace(b'"rows":60', b'"rows":61')
        )(scene),
    ),
    "a manifest of other rows": Case(
        ("newest",),
        "identity",
        "describes .*: it was copied there",
        lambda scene: scene.store.put(
            keys.rows_manifest(scene.frozen().key),
            scene.store.get(keys.rows_manifest(scene.inputs.snapshot(toy.day(1)).key)),
        ),
    ),
}
PAYLOADS = [*hostile.live("x"), *hostile.compressed("x"), *hostile.crafty()]


def payload(name: str, marker: object) -> bytes:
    made = {**hostile.live(str(marker)), **hostile.compressed(str(marker))}
    return made[name] if name in made else hostile.crafty()[name][0]


def unsigned_payload(name: str) -> Case:
    """Return a case in which somebody who can write to the store puts a pickle where the artifact was."""
    return Case(
        ("load", "promote"),
        "size",
        "model.joblib has .* its manifest says",
        lambda scene: scene.store.put(ART, payload(name, scene.marker)),
    )


def signed_payload(name: str) -> Case:
    """Return a case in which somebody who holds our key registers a pickle as a version."""
    message = hostile.FOREIGN if name in hostile.live("x") else hostile.crafty().get(name, (b"", hostile.TORN))[1]
    check = "loading" if message == hostile.TORN else "allow-list"
    return Case(NEW, check, message, lambda scene: broken.version(model_joblib=payload(name, scene.marker))(scene))


CASES = {
    **{f"an artifact {name}": case for name, case in ARTIFACTS.items()},
    **FILED,
    **{f"a manifest {name}": case for name, case in MANIFEST_CASES.items()},
    **{f"an entry {name}": case for name, case in LOG.items()},
    **{f"a smoke test of {name}": case for name, case in SMOKES.items()},
    **RECORDS,
    **{f"a pickle, {name}": unsigned_payload(name) for name in PAYLOADS},
    **{f"a signed pickle, {name}": signed_payload(name) for name in PAYLOADS},
}
COUNT = len(CASES)
