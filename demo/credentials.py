"""Make up secrets. Standard library only: `make env` runs on any Python, without the project's packages."""

from __future__ import annotations

import base64
import json
import secrets


def fernet_key() -> str:
    """Return a key with which Airflow encrypts what it stores."""
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


def jwt_secret() -> str:
    """Return what Airflow signs its tokens with; it warns below 64 bytes."""
    return secrets.token_hex(64)


def password() -> str:
    """Return a password that a person can type."""
    return secrets.token_urlsafe(12).replace("-", "x").replace("_", "y")


def key_connection(key_id: str, secret: str) -> str:
    """Describe an Airflow Connection that holds a key: its id as login, its bytes in hex as password."""
    return json.dumps({"conn_type": "generic", "login": key_id, "password": secret})


def new_key(name: str) -> tuple[str, str]:
    """Return the id and the bytes in hex of a new key of 256 bits."""
    return f"{name}-{secrets.token_hex(4)}", secrets.token_hex(32)
