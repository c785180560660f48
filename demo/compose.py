"""`make env`: the secrets that `docker-compose.yaml` asks for, in `.env`. Standard library only.

A file that exists is never touched: a new password would lock out the database that was made with the old one.
"""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path

from demo import credentials

FILE = Path(__file__).resolve().parent.parent / ".env"


def variables() -> dict[str, str]:
    """Return every variable of the file: made-up secrets, and what a team may want to change."""
    signing_id, signing_key = credentials.new_key("signing")
    pseudonyms_id, pseudonyms_key = credentials.new_key("pseudonyms")
    return {
        "AIRFLOW_PORT": "8080",
        "ADMIN_PASSWORD": credentials.password(),
        "AIRFLOW_FERNET_KEY": credentials.fernet_key(),
        "AIRFLOW_JWT_SECRET": credentials.jwt_secret(),
        "AIRFLOW_SECRET_KEY": secrets.token_hex(32),
        "POSTGRES_PASSWORD": secrets.token_hex(20),
        "WAREHOUSE_PASSWORD": secrets.token_hex(20),
        "STORE_ACCESS_KEY": f"team-{secrets.token_hex(6)}",
        "STORE_SECRET_KEY": secrets.token_hex(20),
        "SIGNING_KEY_ID": signing_id,
        "SIGNING_KEY": signing_key,
        "PSEUDONYMS_KEY_ID": pseudonyms_id,
        "PSEUDONYMS_KEY": pseudonyms_key,
    }


def write(path: Path) -> bool:
    """Write the file, readable by its owner only; return whether there was none."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    with os.fdopen(handle, "w") as out:
        out.write(
            "# Secrets of this installation, made by `make env`. Never commit it; keep a copy: nothing else has them.\n"
        )
        out.writelines(f"{name}={value}\n" for name, value in variables().items())
    return True


if __name__ == "__main__":
    is_new = write(FILE)
    sys.stdout.write(f"{FILE} {'written' if is_new else 'is there already and was left alone'}.\n")
