"""``make bench``: each figure next to a peer or a floor that was measured in the same run."""

import sys
import tempfile
from pathlib import Path

from bench import drifting, log, memory, transfer, validating
from demo import services


def main() -> int:
    """Run every benchmark against a folder and a real S3 server, and print one table each."""
    with tempfile.TemporaryDirectory(prefix="retraining-bench-") as name:
        folder = Path(name)
        with services.s3_server(folder / "s3") as server:
            log.report(folder / "log", server)
            transfer.report(server)
            memory.report(folder / "memory", server)
        validating.report(folder / "validating")
        drifting.report(folder / "drifting")
    return 0


if __name__ == "__main__":
    sys.exit(main())
