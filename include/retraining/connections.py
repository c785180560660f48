"""Door: an Airflow Connection becomes plain settings.

Airflow, the tests, compose and the CLI read the same ``AIRFLOW_CONN_*`` variables from one generated file.
A variable that is set is read directly, so the CLI and the pages need no task context; inside a task any other
Connection (a secrets backend, the metadata database) is asked for through Airflow.
"""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from include.retraining import env_lines
from include.retraining.errors import ConnectionInvalid, ConnectionMissing

if TYPE_CHECKING:
    from include.retraining.registry import Registry
    from include.retraining.signing import Keyring
    from include.retraining.spec import ModelSpec
    from include.retraining.store import Store

ENV_FILE_VARIABLE = "RETRAINING_ENV_FILE"
PROJECT = Path(__file__).resolve().parents[2]
STORE, SIGNING, PSEUDONYMS = "store", "signing", "pseudonyms"


@dataclass(frozen=True, repr=False)
class Settings:
    """What a Connection holds, as plain values. Its ``repr`` shows no secret."""

    name: str
    kind: str
    host: str = ""
    port: int | None = None
    login: str = ""
    password: str = ""
    schema: str = ""
    extra: dict[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        """Return the name and kind alone: logs print settings."""
        return f"Settings({self.name!r}, {self.kind!r})"

    def need(self, key: str) -> str:
        """Return a setting from ``extra``; raises ConnectionInvalid, naming Connection and file, if it is empty."""
        value = self.extra.get(key)
        if not value:
            raise ConnectionInvalid(f"Connection `{self.name}` has no `{key}` in its extra. {_where(self.name)}")
        return str(value)


def env_file() -> Path:
    """Return the generated file of Connections and secrets."""
    return Path(os.environ.get(ENV_FILE_VARIABLE, PROJECT / ".demo" / "airflow.env"))


def load_env_file() -> None:
    """Add the generated file's variables, read as docker compose does, to the environment; what is set already wins."""
    path = env_file()
    if not path.is_file():
        return
    for name, value in env_lines.parse(path.read_text(), os.environ).items():
        os.environ.setdefault(name, value)


def remember(name: str, connection: str) -> bool:
    """Add a Connection, as JSON, to the generated file in the place of an older one; False if there is no file."""
    path, variable = env_file(), f"AIRFLOW_CONN_{name.upper()}"
    if not path.is_file():
        return False
    kept = [line for line in path.read_text().splitlines() if line.partition("=")[0].strip() != variable]
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write("\n".join([*kept, env_lines.line(variable, connection), ""]))
    part.replace(path)
    return True


def settings(name: str) -> Settings:
    """Return a Connection's plain settings.

    Parameters
    ----------
    name : str
        Connection id, as specs and this module name it.

    Raises
    ------
    ConnectionInvalid
        It does not exist or is not readable; the message names the Connection and the file.
    """
    raw = os.environ.get(f"AIRFLOW_CONN_{name.upper()}")
    if raw and raw.lstrip().startswith("{"):
        return _from_json(name, raw)
    return _from_airflow(name)


def open_store() -> "Store":
    """Return the store that Connection ``store`` names: S3 (``aws``) or a local folder (``fs``)."""
    from include.retraining import encryption
    from include.retraining.folder import open_folder
    from include.retraining.s3 import open_s3

    found = settings(STORE)
    if found.kind == "fs":
        encryption.refuse(found.extra, "a folder")
        return open_folder(Path(found.need("path")))
    if found.kind == "aws":
        return open_s3(found)
    raise ConnectionInvalid(f"Connection `{STORE}` is of type {found.kind!r}; expected `aws` or `fs`. {_where(STORE)}")


def open_keyring() -> "Keyring":
    """Return the signing keys that Connection ``signing`` holds: the active one, and retired ones in its extra."""
    from include.retraining.signing import Keyring

    found = settings(SIGNING)
    retired = found.extra.get("retired", {})
    if not isinstance(retired, dict):  # what it is is not shown: it may be a secret
        raise ConnectionInvalid(
            f"Connection `{SIGNING}` has {type(retired).__name__} under `retired` in its extra; expected an object of "
            f"key ids and secrets, or nothing. {_where(SIGNING)}"
        )
    secrets = {**retired, found.login: found.password}
    if not all(key and isinstance(secret, str) and len(secret) >= 32 for key, secret in secrets.items()):
        raise ConnectionInvalid(
            f"Connection `{SIGNING}` needs a key id as login and at least 32 characters of secret as password, and as "
            f"many for each key in its extra under `retired`: whoever guesses one can sign. {_where(SIGNING)}"
        )
    return Keyring(active=found.login, secrets=secrets)


def open_registry(spec: "ModelSpec", store: "Store | None" = None) -> "Registry":
    """Return a model's registry, in the store that Connection ``store`` names unless one is given."""
    from include.retraining.registry import Registry

    return Registry(store or open_store(), open_keyring(), spec.name, spec.allowed_pairs)


def _from_json(name: str, raw: str) -> Settings:
    try:
        parts = json.loads(raw)
        extra = parts.get("extra") or {}
        extra = json.loads(extra) if isinstance(extra, str) else extra
        return _settings(name, parts, dict(extra))
    except (ValueError, TypeError) as error:
        raise ConnectionInvalid(f"Connection `{name}` is not valid JSON ({error.args[0]}). {_where(name)}") from None


def _settings(name: str, parts: dict[str, Any], extra: dict[str, Any]) -> Settings:
    port = parts.get("port")
    texts = {key: str(parts.get(key) or "") for key in ("host", "login", "password", "schema")}
    return Settings(name, str(parts.get("conn_type") or ""), port=int(port) if port else None, extra=extra, **texts)


def _from_airflow(name: str) -> Settings:
    from airflow.sdk import Connection
    from airflow.sdk.exceptions import AirflowNotFoundException, AirflowRuntimeError

    try:
        found = Connection.get(name)
    except (AirflowNotFoundException, AirflowRuntimeError):
        raise ConnectionMissing(f"Connection `{name}` does not exist. {_where(name)}") from None
    parts = {key: getattr(found, key) for key in ("conn_type", "host", "port", "login", "password", "schema")}
    return _settings(name, parts, dict(found.extra_dejson))


def _where(name: str) -> str:
    return (
        f"Set AIRFLOW_CONN_{name.upper()} in the environment of every Airflow process, "
        f"or in the generated file {env_file()}."
    )
