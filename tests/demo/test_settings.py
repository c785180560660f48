"""The one generated file: secrets are kept, ports and moments are not, and every setting is one that Airflow knows."""

import json
import os
import socket
import stat

import pytest

from demo import settings
from demo.settings import layout, prepare, process_env, read_env, write_env

UNTIL = "2013-02-11T05:00:00Z"


@pytest.fixture
def where(tmp_path):
    return layout(tmp_path / "state")


def test_file_is_readable_by_its_owner_only(where):
    prepare(where, UNTIL)
    for path in (where.env_file, where.airflow_home / "passwords.json"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_file_reads_back_as_written(where):
    env = prepare(where, UNTIL)
    assert read_env(where.env_file) == env


def test_secrets_are_kept_and_the_moment_is_not(where):
    first = prepare(where, UNTIL)
    second = prepare(where, "2013-02-26T05:00:00Z")
    changed = {name for name in first if first[name] != second[name]}
    assert changed == {"AIRFLOW_CONN_WAREHOUSE"}
    assert json.loads(second["AIRFLOW_CONN_WAREHOUSE"])["extra"] == {"data_until": "2013-02-26T05:00:00Z"}


def test_connections_that_others_have_added_are_kept(where):
    env = prepare(where, UNTIL)
    write_env(where.env_file, {**env, "AIRFLOW_CONN_ORDERS_FILE": "{}"})
    assert prepare(where, UNTIL)["AIRFLOW_CONN_ORDERS_FILE"] == "{}"


def test_two_folders_share_no_secret(tmp_path):
    one, two = (prepare(layout(tmp_path / name), UNTIL) for name in ("one", "two"))
    secret = ["DEMO_ADMIN_PASSWORD", "AIRFLOW__CORE__FERNET_KEY", "AIRFLOW__API_AUTH__JWT_SECRET"]
    secret += [
        "AIRFLOW_CONN_AIRFLOW_API",
        "AIRFLOW__API__SECRET_KEY",
        "AIRFLOW_CONN_STORE",
        "AIRFLOW_CONN_SIGNING",
        "AIRFLOW_CONN_PSEUDONYMS",
    ]
    assert not [name for name in secret if one[name] == two[name]]


def test_who_writes_notes_may_log_in_and_is_nobody_else(where):
    env = prepare(where, UNTIL)
    found = json.loads(env["AIRFLOW_CONN_AIRFLOW_API"])
    passwords = json.loads((where.airflow_home / "passwords.json").read_text())
    assert passwords == {"admin": env["DEMO_ADMIN_PASSWORD"], "notes": found["password"]}
    assert (found["login"], found["host"]) == ("notes", env["AIRFLOW__API__BASE_URL"])
    assert found["password"] != env["DEMO_ADMIN_PASSWORD"]


def test_taken_ports_are_left_to_who_has_them(where):
    first = prepare(where, UNTIL)
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", int(first["AIRFLOW__API__PORT"])))
        taken.listen()
        second = prepare(where, UNTIL)
    port = second["AIRFLOW__API__PORT"]
    assert port != first["AIRFLOW__API__PORT"]
    assert second["AIRFLOW__API__BASE_URL"] == f"http://127.0.0.1:{port}"
    assert second["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == f"http://127.0.0.1:{port}/execution/"


def test_keys_are_long_enough(where):
    env = prepare(where, UNTIL)
    assert len(env["AIRFLOW__API_AUTH__JWT_SECRET"].encode()) >= 64
    for name in ("SIGNING", "PSEUDONYMS"):
        key = json.loads(env[f"AIRFLOW_CONN_{name}"])
        assert (key["conn_type"], len(bytes.fromhex(key["password"]))) == ("generic", 32)
        assert key["login"]


def test_connections_open_as_the_product_reads_them(where, monkeypatch):
    from include.retraining import connections

    env = prepare(where, UNTIL)
    for name in [name for name in os.environ if name.startswith("AIRFLOW_CONN_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("RETRAINING_ENV_FILE", str(where.env_file))
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    store, warehouse = connections.settings("store"), connections.settings("warehouse")
    assert (store.kind, store.extra["bucket"]) == ("aws", "retraining")
    assert (warehouse.kind, warehouse.host, warehouse.extra["data_until"]) == ("sqlite", str(where.warehouse), UNTIL)
    assert connections.open_keyring().active == json.loads(env["AIRFLOW_CONN_SIGNING"])["login"]


def test_airflow_finds_the_preloading_settings(where):
    prepare(where, UNTIL)
    assert (where.airflow_home / "config" / "airflow_local_settings.py").is_file()


def test_a_torn_write_leaves_the_file_as_it_was(where, monkeypatch):
    env = prepare(where, UNTIL)
    monkeypatch.setattr(settings.os, "fsync", lambda _: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write_env(where.env_file, {"AIRFLOW_HOME": "elsewhere"})
    assert read_env(where.env_file) == env


def test_children_get_no_stray_airflow_settings(where, monkeypatch):
    monkeypatch.setenv("AIRFLOW__CORE__PARALLELISM", "99")
    monkeypatch.setenv("AIRFLOW_CONN_STRAY", "x")
    monkeypatch.setenv("AWS_PROFILE", "company")
    env = process_env(prepare(where, UNTIL))
    assert env["AIRFLOW__CORE__PARALLELISM"] == "4"
    assert "AIRFLOW_CONN_STRAY" not in env
    assert "AWS_PROFILE" not in env


def test_every_setting_is_one_that_airflow_knows(where):
    known = known_options()
    for name in prepare(where, UNTIL):
        if name.startswith("AIRFLOW__"):
            section, option = name.removeprefix("AIRFLOW__").lower().split("__")
            assert (section, option) in known, name


def known_options():
    from airflow.configuration import retrieve_configuration_description

    described = retrieve_configuration_description(include_providers=False)
    return {(section, option) for section, content in described.items() for option in content["options"]}
