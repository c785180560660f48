"""A store that counts what it is asked, and one that stands on a real S3 server."""

from collections import Counter
from pathlib import Path
from typing import Any

from demo import services
from include.retraining import connections, s3
from include.retraining.store import Store


class Counting:
    """Passes every call on and counts it by verb."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.calls: Counter[str] = Counter()

    def __getattr__(self, verb: str) -> Any:
        real = getattr(self._store, verb)

        def call(*arguments: Any, **named: Any) -> Any:
            self.calls[verb] += 1
            return real(*arguments, **named)

        return call


def bucket(server: services.S3) -> Store:
    """Return the store on the server's bucket."""
    found = server.connection()
    settings = connections.Settings(
        "store", "aws", login=found["login"], password=found["password"], extra={**found["extra"], "timeout_s": 60}
    )
    return s3.open_s3(settings)


def table(title: str, rows: list[list[str]]) -> None:
    """Print rows below a title, the first one as their head."""
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    print(f"\n{title}\n")
    for row in rows:
        print("  " + "  ".join(text.rjust(width) for text, width in zip(row, widths, strict=True)))


def megabytes(path: Path) -> float:
    """Return a file's size in MB."""
    return path.stat().st_size / 1e6
