"""Versions and their manifests, on top of the promotion log.

A version exists when its manifest does, and the manifest is written last. Every byte that is loaded is verified first:
signature, identity, size and hash, library versions, then the allow-list, then the predictions recorded with it.
"""

import contextlib
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from include.retraining import holds, inventory, keys, libraries, signing, smoke, unpickling
from include.retraining.errors import BadInput, IntegrityError, ObjectMissing, Unavailable
from include.retraining.fetching import PRIVATE, copied
from include.retraining.probes import prove
from include.retraining.promotion_log import PROMOTE, ROLLBACK, Entry, PromotionLog, check_format
from include.retraining.store import Payload, digest_of, read

FORMAT_VERSION = 1
VERSION = "version"
"""What a manifest is signed as."""
LARGEST_CARD_BYTES = 1 << 20
ARTIFACT, BASELINE, CARD, SMOKE, MANIFEST = "model.joblib", "baseline.json", "card.md", "smoke.json", "manifest.json"


@dataclass(frozen=True)
class Registry(PromotionLog):
    """One model's versions and promotion log."""

    allowed: frozenset[tuple[str, str]] = frozenset()
    """What artifacts may name beyond our own list: from the spec, never from an artifact."""

    def versions(self) -> list[str]:
        """Return the ids of all versions, oldest training window first."""
        listed = inventory.placed(self.model, self.store.list(keys.versions(self.model)))
        return sorted(place.group for place, _ in listed if place.part == MANIFEST)

    def manifest(self, version: str) -> dict[str, Any]:
        """Return a version's verified manifest; raises IntegrityError if it is missing, unsigned or altered."""
        if not keys.is_part(version):
            raise IntegrityError(
                f"{version!r} is no version of {self.model}: expected an id like 20130201-0123456789ab.", "format"
            )
        key = keys.version(self.model, version, MANIFEST)
        return read(self.store, key, lambda data: self._manifest(version, data))

    def file(self, version: str, name: str) -> bytes:
        """Return one small file of a version after checking its size and hash against the manifest."""
        expected = _file_of(self.manifest(version), name, keys.version(self.model, version, MANIFEST))
        return self._file(version, name, expected)

    def load(self, version: str) -> Any:
        """Return a version's estimator, if every check holds and it predicts again what it predicted when trained."""
        return self._load(version, self.manifest(version))

    def load_live(self, entry: Entry) -> Any:
        """Return the estimator that an entry made the champion: its manifest must be the one that was promoted."""
        return self._load(entry.version, self.live_manifest(entry))

    def live_manifest(self, entry: Entry) -> dict[str, Any]:
        """Return the manifest of the version that an entry made the champion, if it is the one that was promoted."""
        manifest = self.manifest(entry.version)
        if signing.sha256(signing.canonical(manifest)) != entry.manifest_sha256:
            raise IntegrityError(
                f"{keys.version(self.model, entry.version, MANIFEST)} is not the one that entry {entry.number} made "
                "the champion. Restore the original.",
                "chain",
            )
        return manifest

    @contextlib.contextmanager
    def fetched(self, version: str) -> Iterator[Path]:
        """Give a private copy of a version's artifact whose size and hash have been checked."""
        key = keys.version(self.model, version, ARTIFACT)
        with copied(self.store, key, _file_of(self.manifest(version), ARTIFACT, key)) as path:
            yield path

    def register(self, version: str, files: Mapping[str, Payload], about: dict[str, Any]) -> dict[str, Any]:
        """Store a version, its manifest last, and return the manifest that now stands.

        The same version registered again keeps the first manifest: whoever asked first stays named. A card that lies
        there before any manifest does is kept as well, so that the manifest names what lies there whoever comes.

        Raises
        ------
        StoreUnsafe
            The store does not honour put-if-absent; asked before a model's first version.
        IntegrityError
            A file of this version lies there with other bytes.
        """
        if not self.versions():
            prove(self.store)
        with holds.hold(self.store, self.model, f"register {version}"):
            standing = self._found(version)
            if standing is not None:  # its card may tell of another owner by now; its artifact may not differ
                self._keep(version, {ARTIFACT: files[ARTIFACT]})
                return standing
            files = self._keep(version, files)
            named = {name: {"sha256": digest_of(data), "size_bytes": _size(data)} for name, data in files.items()}
            identity = {"format_version": FORMAT_VERSION, "model": self.model, "version": version, "files": named}
            manifest = signing.canonical(signing.sign({**about, **identity}, self.keyring, VERSION))
            self.store.put_if_absent(keys.version(self.model, version, MANIFEST), manifest)
            return self.manifest(version)

    def promote(self, version: str, base: int, effective_from: datetime, about: dict[str, Any]) -> Entry:
        """Make a version the champion, if the log still ends where the comparison was made.

        Parameters
        ----------
        version : str
            A registered version; it is loaded, with every check, before anything moves.
        base : int
            Number of the log entry that the comparison was made against, 0 for none.
        effective_from : datetime
            The run's as-of.
        about : dict
            ``reason``, ``actor``, ``verdict_sha256`` and ``nonce``, which is the same in every try.

        Raises
        ------
        PromotionConflict
            Another entry took the next number; nothing was written.
        """
        return self._move(version, base, effective_from, {**about, "action": PROMOTE})

    def roll_back(self, version: str, base: int, effective_from: datetime, about: dict[str, Any]) -> Entry:
        """Make a version that exists the champion again: an entry of its own, nothing is removed.

        Parameters and errors are those of ``promote``; raises BadInput if the version is the champion already.
        """
        standing = self.standing(base)
        if standing and standing.version == version:
            raise BadInput(f"{version} is the champion of {self.model} already (entry {base}). Nothing was changed.")
        return self._move(version, base, effective_from, {**about, "action": ROLLBACK})

    def _move(self, version: str, base: int, effective_from: datetime, about: dict[str, Any]) -> Entry:
        with holds.hold(self.store, self.model, f"{about['action']} {version}"):
            manifest = self.manifest(version)
            self._load(version, manifest)
            sha256 = signing.sha256(signing.canonical(manifest))
            return self.append(base, version, sha256, effective_from, about)

    def _manifest(self, version: str, data: bytes) -> dict[str, Any]:
        key = keys.version(self.model, version, MANIFEST)
        content = signing.verify(data, self.keyring, key, VERSION)
        check_format(content, FORMAT_VERSION, key)
        if content.get("version") != version or content.get("model") != self.model:
            described = f"{content.get('model')} {content.get('version')}"
            raise IntegrityError(f"{key} describes {described}: it was copied there. Restore the original.", "identity")
        return content

    def _file(self, version: str, name: str, expected: dict[str, Any]) -> bytes:
        with copied(self.store, keys.version(self.model, version, name), expected) as path:
            return path.read_bytes()

    def _load(self, version: str, manifest: dict[str, Any]) -> Any:
        key = keys.version(self.model, version, ARTIFACT)
        libraries.check(manifest.get("libraries"), key)
        with copied(self.store, key, _file_of(manifest, ARTIFACT, key)) as path:
            estimator = unpickling.load_artifact(path, key, self.allowed)
        smoke_key = keys.version(self.model, version, SMOKE)
        recorded = signing.read_json(self._file(version, SMOKE, _file_of(manifest, SMOKE, key)), smoke_key)
        check_format(recorded, smoke.FORMAT_VERSION, smoke_key)
        smoke.check(estimator, recorded, key)
        return estimator

    def _found(self, version: str) -> dict[str, Any] | None:
        try:
            return self.manifest(version)
        except ObjectMissing:
            return None

    def _keep(self, version: str, files: Mapping[str, Payload]) -> dict[str, Payload]:
        """Write files and return what lies there now."""
        kept = dict(files)
        for name, data in files.items():
            key = keys.version(self.model, version, name)
            if self.store.put_if_absent(key, data):
                continue
            if name == CARD:  # whoever was cut off, or is at work, may name another owner: no part of the version's id
                kept[name] = self._card(key)
                continue
            raise IntegrityError(
                f"{key} holds other bytes than this training made, though its inputs are the same. Run `verify`, "
                "remove that folder, then clear the task.",
                "hash",
            )
        return kept

    def _card(self, key: str) -> bytes:
        """Return the card that lies there. It is written once, so every manifest that may follow names the same."""
        with tempfile.TemporaryDirectory(prefix=PRIVATE) as folder:
            path = Path(folder) / CARD
            self.store.fetch(key, path, LARGEST_CARD_BYTES)
            data = path.read_bytes()
        if not self.store.put_if_absent(key, data):  # a byte flipped on its way here
            raise Unavailable(f"{key} was read other than it lies there. Try again.")
        return data


def _file_of(manifest: dict[str, Any], name: str, key: str) -> dict[str, Any]:
    """Return what a manifest says of a file; raises IntegrityError if it does not say it in full."""
    files = manifest.get("files")
    found = files.get(name) if isinstance(files, dict) and keys.is_part(name) else None
    size, sha256 = (found.get("size_bytes"), found.get("sha256")) if isinstance(found, dict) else (None, None)
    if type(size) is not int or size < 0 or not re.fullmatch("[0-9a-f]{64}", str(sha256)):
        raise IntegrityError(f"The manifest of {key} does not name {name} with size and sha256.", "format")
    return {"size_bytes": size, "sha256": sha256}


def _size(data: Payload) -> int:
    return len(data) if isinstance(data, bytes) else data.stat().st_size
