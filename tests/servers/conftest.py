"""One Ceph for the session. What the other tests ask of the small S3 server, they ask of Ceph here."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo import ceph, processes, services
from include.retraining import connections, s3
from tests.retraining.conftest import proxied  # noqa: F401 - the same network that fails on demand


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("ceph")


@pytest.fixture(scope="session")
def node() -> Iterator[ceph.Node]:
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="retraining-ceph-")))
        try:
            made = stack.enter_context(ceph.ceph_node(folder))
        except processes.ServiceError as error:
            pytest.exit(str(error), returncode=1)
        yield made


@pytest.fixture(scope="session")
def s3_server(node: ceph.Node) -> services.S3:
    """Return the gateway and its first user, where the other tests have the small server."""
    return node.user("retraining")


@pytest.fixture(scope="session")
def stranger(node: ceph.Node) -> connections.Settings:
    """Return the credentials of a user to whom nobody gave anything; their ``repr`` shows no secret."""
    user = node.user("stranger")
    return connections.Settings("stranger", "aws", login=user.access_key, password=user.secret_key)


@pytest.fixture
def any_store(s3_settings: connections.Settings) -> s3.S3Store:
    return s3.open_s3(s3_settings)
