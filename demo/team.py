"""The one-shot `init` of docker-compose.yaml: make the store's bucket, fill an empty warehouse with the sample flights.

Where both are is read from the Connections that every other service has.
"""

from __future__ import annotations

import json
import os
import sys

import sqlalchemy as sa

from demo import flights
from demo.services import make_bucket


def warehouse_url(connection: dict[str, object]) -> sa.URL:
    """Return the SQLAlchemy address of a Connection `warehouse` of type postgres."""
    return sa.URL.create(
        "postgresql+psycopg2",
        username=str(connection["login"]),
        password=str(connection["password"]),
        host=str(connection["host"]),
        port=int(str(connection["port"])),
        database=str(connection["schema"]),
    )


def main() -> None:
    """Prepare store and warehouse; what is there already is left alone."""
    store = json.loads(os.environ["AIRFLOW_CONN_STORE"])
    make_bucket(store)
    url = warehouse_url(json.loads(os.environ["AIRFLOW_CONN_WAREHOUSE"]))
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    if sa.inspect(engine).has_table(flights.TABLE):
        sys.stdout.write(f"The warehouse has a table {flights.TABLE} and was left alone.\n")
        return
    frame = flights.departures()
    flights.load(url, frame)
    sys.stdout.write(f"Loaded {len(frame):,} rows into the table {flights.TABLE}.\n")


if __name__ == "__main__":
    main()
