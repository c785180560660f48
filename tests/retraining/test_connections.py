"""Connections become plain settings; errors name the Connection and the file, and no secret is shown."""

import json

import pytest

from include.retraining import connections
from include.retraining.errors import ConnectionInvalid
from include.retraining.folder import FolderStore
from include.retraining.s3 import S3Store

SECRET = "x" * 40


@pytest.fixture
def connect(monkeypatch):
    """Return a setter of Connections in the environment."""

    def set_one(name: str, **parts: object) -> None:
        monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(parts))

    return set_one


@pytest.mark.parametrize("as_text", [False, True], ids=["extra as an object", "extra as text"])
def test_a_connection_becomes_plain_settings(connect, as_text):
    extra = {"bucket": "b"}
    connect(
        "store",
        conn_type="aws",
        login="ann",
        password=SECRET,
        port="9000",
        extra=json.dumps(extra) if as_text else extra,
    )
    found = connections.settings("store")
    assert (found.kind, found.login, found.password, found.port, found.host) == ("aws", "ann", SECRET, 9000, "")
    assert found.extra == extra


def test_settings_show_no_secret(connect):
    connect("store", conn_type="aws", login="ann", password=SECRET, extra={"token": SECRET})
    assert repr(connections.settings("store")) == str(connections.settings("store")) == "Settings('store', 'aws')"


def test_a_connection_in_airflows_uri_form_is_read_through_airflow(monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", f"postgres://ann:{SECRET}@db.example:5433/flights?data_until=2013")
    found = connections.settings("warehouse")
    assert (found.kind, found.host, found.port, found.schema) == ("postgres", "db.example", 5433, "flights")
    assert (found.password, found.extra) == (SECRET, {"data_until": "2013"})


def test_a_missing_connection_is_told_with_its_variable_and_the_file(monkeypatch, tmp_path):
    monkeypatch.setenv("RETRAINING_ENV_FILE", str(tmp_path / "airflow.env"))
    with pytest.raises(ConnectionInvalid, match=r"`nowhere` does not exist. Set AIRFLOW_CONN_NOWHERE .*airflow.env"):
        connections.settings("nowhere")


@pytest.mark.parametrize(
    "raw", ['{"conn_type": "aws"', '{"conn_type": "aws", "port": "x"}', '{"extra": "{"}', '{"extra": 3}'],
    ids=["torn", "port", "extra torn", "extra"],
)  # fmt: skip
def test_a_malformed_connection_is_told(monkeypatch, raw):
    monkeypatch.setenv("AIRFLOW_CONN_STORE", raw)
    with pytest.raises(
        ConnectionInvalid, match=r"Connection `store` is not valid JSON \(.*\)\. Set AIRFLOW_CONN_STORE"
    ):
        connections.settings("store")


def test_the_store_is_a_folder_or_a_bucket_by_its_connection_alone(connect, tmp_path):
    connect("store", conn_type="fs", extra={"path": str(tmp_path / "store")})
    assert isinstance(connections.open_store(), FolderStore)
    connect("store", conn_type="aws", login="a", password="b", extra={"bucket": "b", "endpoint_url": "http://x:1"})
    assert isinstance(connections.open_store(), S3Store)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"conn_type": "ftp"}, "is of type 'ftp'; expected `aws` or `fs`. Set AIRFLOW_CONN_STORE"),
        ({"conn_type": "aws"}, "Connection `store` has no `bucket` in its extra. Set AIRFLOW_CONN_STORE"),
        ({"conn_type": "fs"}, "Connection `store` has no `path` in its extra"),
        ({}, "is of type ''"),
    ],
)
def test_a_store_that_is_half_described_is_told(connect, parts, message):
    connect("store", **parts)
    with pytest.raises(ConnectionInvalid, match=message):
        connections.open_store()


def test_the_keyring_holds_the_active_key_and_retired_ones(connect):
    connect("signing", conn_type="generic", login="key-2", password=SECRET, extra={"retired": {"key-1": "y" * 40}})
    found = connections.open_keyring()
    assert (found.active, found.secrets) == ("key-2", {"key-1": "y" * 40, "key-2": SECRET})


WEAK = [{"login": "", "password": SECRET}, {"login": "k", "password": "x" * 31}, {}]
WEAK += [{"login": "k", "password": SECRET, "extra": {"retired": {"old": held}}} for held in ("x" * 31, "", None)]


@pytest.mark.parametrize("parts", WEAK)
def test_a_weak_or_nameless_key_is_refused_and_not_shown(connect, parts):
    connect("signing", conn_type="generic", **parts)
    with pytest.raises(ConnectionInvalid, match="needs a key id as login and at least 32 characters") as caught:
        connections.open_keyring()
    assert "xxx" not in str(caught.value)


@pytest.mark.parametrize("retired", [None, ["x" * 40], "x" * 40, 7])
def test_retired_keys_that_are_no_object_are_told_and_not_shown(connect, retired):
    connect("signing", conn_type="generic", login="k", password=SECRET, extra={"retired": retired})
    with pytest.raises(ConnectionInvalid, match="under `retired` in its extra; expected an object of") as caught:
        connections.open_keyring()
    assert "xxx" not in str(caught.value)


def test_the_generated_file_fills_in_what_the_environment_lacks(monkeypatch, tmp_path):
    path = tmp_path / "airflow.env"
    path.write_text("# secrets\nRETRAINING_TEST_A=from file=1\nRETRAINING_TEST_B=from file\n\nnonsense\n")
    monkeypatch.setenv("RETRAINING_ENV_FILE", str(path))
    monkeypatch.setenv("RETRAINING_TEST_B", "already set")
    monkeypatch.setenv("RETRAINING_TEST_A", "")
    monkeypatch.delenv("RETRAINING_TEST_A")
    connections.load_env_file()
    assert connections.os.environ["RETRAINING_TEST_A"] == "from file=1"
    assert connections.os.environ["RETRAINING_TEST_B"] == "already set"


def test_quotes_in_the_generated_file_are_no_part_of_a_value(monkeypatch, tmp_path):
    path = tmp_path / "airflow.env"
    path.write_text("""RETRAINING_TEST_A="x" # why\nexport AIRFLOW_CONN_QUOTED='{"conn_type": "fs", "host": "$5"}'\n""")
    monkeypatch.setenv("RETRAINING_ENV_FILE", str(path))
    for name in ("RETRAINING_TEST_A", "AIRFLOW_CONN_QUOTED"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    connections.load_env_file()
    assert connections.os.environ["RETRAINING_TEST_A"] == "x"
    assert connections.settings("quoted").host == "$5"


def test_no_generated_file_is_no_reason_to_fail(monkeypatch, tmp_path):
    monkeypatch.setenv("RETRAINING_ENV_FILE", str(tmp_path / "none.env"))
    connections.load_env_file()
    assert connections.env_file() == tmp_path / "none.env"


def test_a_connection_is_remembered_in_the_generated_file_and_no_other_line_changes(tmp_path, monkeypatch):
    path = tmp_path / "airflow.env"
    monkeypatch.setenv("RETRAINING_ENV_FILE", str(path))
    assert not connections.remember("orders_file", "{}"), "nothing is made where there is no such file"
    assert not path.exists()
    path.write_text("# why\nAIRFLOW_CONN_STORE={}\nAIRFLOW_CONN_ORDERS_FILE={}\n")
    assert connections.remember("orders_file", '{"conn_type": "sqlite"}')
    assert path.read_text() == '# why\nAIRFLOW_CONN_STORE={}\nAIRFLOW_CONN_ORDERS_FILE={"conn_type": "sqlite"}\n'
    assert path.stat().st_mode & 0o777 == 0o600
    connections.remember("orders_file", '{"host": "/my $5 #1/it\'s"}')
    monkeypatch.setenv("AIRFLOW_CONN_ORDERS_FILE", "")
    monkeypatch.delenv("AIRFLOW_CONN_ORDERS_FILE")
    connections.load_env_file()
    assert connections.settings("orders_file").host == "/my $5 #1/it's"
