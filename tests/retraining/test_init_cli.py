"""`init` as a user meets it: what it writes and says, what it asks, and that a refusal leaves nothing behind."""

import ast
import json
import shlex
import sqlite3
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from include.retraining import cli, connections, expectations, specs
from tests.conftest import ROOT, connection_env
from tests.retraining.tables import START, orders

pytestmark = pytest.mark.door
NAMES = {"returns.py", "returns.sql", "returns_suite.json"}


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder for models, and let the secret of pseudonyms be there."""
    folder = tmp_path / "models"
    folder.mkdir()
    monkeypatch.setattr(specs, "FOLDER", folder)
    secret = connections.Settings("pseudonyms", "generic", password="p" * 32)
    monkeypatch.setenv("AIRFLOW_CONN_PSEUDONYMS", connection_env(secret))
    return folder


def csv(folder: Path, frame: pd.DataFrame, name: str = "orders.csv") -> Path:
    frame.to_csv(folder / name, index=False)
    return folder / name


def init(*arguments: object) -> int:
    return cli.main(["init", "returns", *map(str, arguments)])


def listed(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_clean_table_needs_no_option(models, tmp_path, capsys):
    assert init("--from", csv(tmp_path, orders()), "--owner", "ann") == 0
    told = capsys.readouterr().out
    assert listed(models) == NAMES
    assert listed(tmp_path) == {"models", "orders.csv", "orders.csv.sqlite"}
    for words in (
        "returns: 3,000 rows of orders.csv, whole days from 2024-01-01 00:00 to 2024-01-31 00:00 UTC.",
        "  --time        created_at  (the only column of moments)",
        "  --interval    day  (the first of day, week and hour that fits; it gives 29 labelled intervals of typically",
        "Windows: a first run trains on 22 days and holds 7 out; it needs at least 14 to train on,",
        "Personal data? email is not even read: looks like an e-mail address.",
        "and from the labels of 28 intervals.",
        "The newest intervals meet all that is critical.",
    ):
        assert words in told
    line = next(line for line in told.splitlines() if "export" in line)
    name, _, value = shlex.split(line.partition("export ")[2])[0].partition("=")
    assert name == "AIRFLOW_CONN_RETURNS_FILE"
    assert json.loads(value) == {"conn_type": "sqlite", "host": str(tmp_path / "orders.csv.sqlite")}
    assert len(expectations.load(models / "returns_suite.json").expectations) > 20


def test_what_is_left_to_do_is_told_in_order_as_words_and_as_json(models, tmp_path, capsys, monkeypatch):
    for name in ("STORE", "SIGNING", "PSEUDONYMS"):
        monkeypatch.delenv(f"AIRFLOW_CONN_{name}", raising=False)
    monkeypatch.setenv("RETRAINING_ENV_FILE", str(tmp_path / "none.env"))
    assert init("--from", csv(tmp_path, orders())) == 0
    words = capsys.readouterr().out.partition("Next:\n")[2].splitlines()
    assert init("--from", tmp_path / "orders.csv", "--force", "--json") == 0
    steps = json.loads(capsys.readouterr().out)["next"]
    assert [line.partition(". ")[2] for line in words] == steps
    parts = ("AIRFLOW_CONN_RETURNS_FILE=", "`store` and `signing` missing", "PSEUDONYMS='{", "Look at", "switch")
    assert [part in step for step, part in zip(steps, parts, strict=True)] == [True] * 5


def test_intervals_that_would_be_refused_are_named_and_come_first_to_mend(models, tmp_path, capsys):
    table = orders(45)
    table.loc[table.index[-500:], "region"] = "elsewhere"
    assert init("--from", csv(tmp_path, table), "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["refused"]
    assert any(step.startswith("Mend returns_suite.json or the rows: ") for step in told["next"])


def test_warnings_that_the_newest_intervals_would_raise_are_counted_and_named(models, tmp_path, capsys):
    table = orders(45)
    table.loc[table.index[-200:], "pieces"] += 40
    assert init("--from", csv(tmp_path, table)) == 0
    words = capsys.readouterr().out
    assert init("--from", tmp_path / "orders.csv", "--force", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["dropped"] == {"email": "looks like an e-mail address"}
    assert len(told["warned"]["values_to_be_between (pieces)"]) > 0
    assert told["refused"] == []
    assert f"A run would warn of {len(told['warned'])} expectati" in words
    assert all(f"  {name}: {', '.join(days)}\n" in words for name, days in told["warned"].items())


def test_a_copy_is_as_private_as_its_file(models, tmp_path):
    source = csv(tmp_path, orders())
    source.chmod(0o600)
    assert init("--from", source) == 0
    assert (tmp_path / "orders.csv.sqlite").stat().st_mode & 0o777 == 0o600


def test_a_moment_that_some_labels_come_with_tells_how_long_they_take(models, tmp_path, capsys):
    table = orders()
    moments = pd.to_datetime(table["created_at"]) + pd.to_timedelta(1 + table.index % 72, unit="h")
    table["returned_at"] = moments.dt.strftime("%Y-%m-%d %H:%M:%S").where(table["returned"] == 1)
    assert init("--from", csv(tmp_path, table)) == 0
    told = capsys.readouterr().out
    assert "  --label-delay 3 days  ('returned_at' comes with some labels, up to 3 days later)" in told
    assert "label_delay=timedelta(days=3)" in (models / "returns.py").read_text()


def test_what_is_written_reads_as_people_write_it(models, tmp_path):
    assert init("--from", csv(tmp_path, orders()), "--owner", 'ann "of" sales') == 0
    (models / "__init__.py").write_text('"""Models."""\n')
    command = [sys.executable, "-m", "ruff"]
    for check in (["check"], ["format", "--check"]):
        done = subprocess.run([*command, *check, models], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout
    spec = (models / "returns.py").read_text()
    assert ast.get_docstring(ast.parse(spec)) == "Predict returned of each row of orders.csv: a binary model."
    assert "label_delay=timedelta(days=1),  # assumed: say when labels become known" in spec
    assert "email" not in spec
    query = (models / "returns.sql").read_text()
    remark = (
        "-- Not read: email: looks like an e-mail address. To keep it, select it and name it in `observed` of the spec."
    )
    assert remark in query.splitlines()
    assert "email" not in query.partition("\nSELECT\n")[2]
    assert "CASE WHEN datetime(:end, '+24 hours') <= :as_of THEN t.returned END AS returned" in query
    assert max(map(len, query.splitlines())) <= 120


def test_labels_that_are_missing_are_void_once_they_are_late(models, tmp_path):
    table = orders()
    table["returned"] = table["returned"].where(table.index % 10 > 0)
    assert init("--from", csv(tmp_path, table), "--label", "returned") == 0
    assert 'void_column="void",' in (models / "returns.py").read_text()
    assert "t.returned IS NULL THEN 1 ELSE 0 END AS void" in (models / "returns.sql").read_text()


def test_yes_and_no_become_one_and_zero(models, tmp_path):
    table = orders()
    table["returned"] = table["returned"].map({0: "No", 1: "Yes"})
    assert init("--from", csv(tmp_path, table)) == 0
    query = (models / "returns.sql").read_text()
    assert "CASE WHEN LOWER(TRIM(t.returned)) = 'yes' THEN 1 WHEN t.returned IS NOT NULL THEN 0 END" in query


def test_odd_names_go_all_the_way(models, tmp_path, capsys):
    odd = {
        "created_at": "Created: at",
        "amount": "Größe (m²)",
        "region": "select",
        "pieces": "100%:start",
        "email": "E-Mail",
    }
    table = orders().rename(columns={**odd, "returned": '"label"'})
    assert init("--from", csv(tmp_path, table)) == 0
    query = (models / "returns.sql").read_text()
    for line in (
        't."Created\\: at" AS created_at',
        't."Größe (m²)" AS groesse_m2',
        't."select"',
        't."100%\\:start" AS',
    ):
        assert line in query
    assert "Personal data? E-Mail is not even read" in capsys.readouterr().out


def test_the_generated_file_gets_the_connection_where_there_is_one(models, tmp_path, capsys, monkeypatch):
    env = tmp_path / "airflow.env"
    env.write_text("A=1\nAIRFLOW_CONN_RETURNS_FILE={}\n")
    monkeypatch.setenv("RETRAINING_ENV_FILE", str(env))
    monkeypatch.setenv("AIRFLOW_CONN_RETURNS_FILE", "{}")
    assert init("--from", csv(tmp_path, orders())) == 0
    value = json.dumps({"conn_type": "sqlite", "host": str(tmp_path / "orders.csv.sqlite")})
    assert env.read_text() == f"A=1\nAIRFLOW_CONN_RETURNS_FILE={value}\n"
    assert env.stat().st_mode & 0o777 == 0o600
    assert "restart Airflow" in capsys.readouterr().out


def test_a_second_init_replaces_only_when_it_is_forced_to(models, tmp_path, capsys):
    file = csv(tmp_path, orders())
    assert init("--from", file) == 0
    before = {path: path.read_bytes() for path in models.iterdir()}
    assert init("--from", file, "--owner", "bob") == 1
    assert "returns.py, returns.sql, returns_suite.json exist" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in models.iterdir()} == before
    assert init("--from", file, "--owner", "bob", "--force", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["reasons"]["--key"] == {"taken": "order_id", "because": "no two rows have the same"}
    assert 'owner="bob"' in (models / "returns.py").read_text()


def test_a_database_in_the_place_of_the_copy_is_left_alone(models, tmp_path, capsys):
    file, taken = csv(tmp_path, orders()), tmp_path / "orders.csv.sqlite"
    connection = sqlite3.connect(taken)
    connection.execute("CREATE TABLE t (a)")
    connection.close()
    before = taken.read_bytes()
    assert init("--from", file, "--force") == 1
    assert "was not made by init" in capsys.readouterr().err
    assert taken.read_bytes() == before


def test_rows_of_a_file_that_has_grown_are_loaded_again_and_nothing_else(models, tmp_path, capsys):
    assert init("--from", csv(tmp_path, orders(20))) == 0
    before = {path: path.read_bytes() for path in models.iterdir()}
    assert init("--from", csv(tmp_path, orders(25)), "--rows") == 0
    assert "Loaded orders.csv again. If returns.py has an `end`, move it" in capsys.readouterr().out
    assert {path: path.read_bytes() for path in models.iterdir()} == before
    connection = sqlite3.connect(tmp_path / "orders.csv.sqlite")
    assert connection.execute("SELECT count(*) FROM rows_of_file").fetchone() == (2500,)
    connection.close()
    assert init("--from", csv(tmp_path, orders(), "others.csv"), "--rows") == 1
    assert "others.csv is no file that init has loaded before" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["", "Returns", "1st", "a-b", "a.b", "_x", "ü", "a" * 60])
def test_a_name_becomes_part_of_ids_and_keys(models, tmp_path, capsys, name):
    assert cli.main(["init", name, "--from", str(tmp_path / "x.csv")]) == 1
    assert f"Name {name!r} cannot be a model's" in capsys.readouterr().err


MOMENTS = START + pd.to_timedelta(range(3000), unit="min")


@pytest.mark.parametrize(
    ("change", "options", "words"),
    [
        (lambda table: table.head(0), [], "has no rows"),
        (lambda table: table.drop(columns="created_at"), [], "No column holds moments"),
        (lambda table: table.drop(columns="returned"), [], "Say it with --label; candidates:"),
        (lambda table: table.assign(created_at="2024-01-01"), [], "Too little data"),
        (lambda table: table[["order_id", "created_at", "returned", "email"]], [], "is left to predict from"),
        (lambda table: table.assign(paid_at=MOMENTS, created_on=MOMENTS), ["--time", "paid"], "no column 'paid'"),
        (lambda table: table, ["--label-delay", "soon"], "Give hours, days or weeks"),
        (lambda table: table, ["--interval", "week"], "Too little data"),
    ],
)
def test_a_refusal_is_one_message_and_leaves_nothing_behind(models, tmp_path, capsys, change, options, words):
    assert init("--from", csv(tmp_path, change(orders())), *options) == 1
    assert words in capsys.readouterr().err
    assert listed(models) == set()
    assert listed(tmp_path) == {"models", "orders.csv"}


def test_a_folder_that_cannot_be_written_is_told_and_nothing_is_left(models, tmp_path, capsys):
    (models / "returns.sql.part").mkdir()
    assert init("--from", csv(tmp_path, orders())) == 1
    assert "Nothing was written" in capsys.readouterr().err
    assert listed(models) == {"returns.sql.part"}
    assert listed(tmp_path) == {"models", "orders.csv"}


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a SQLite warehouse behind the Connection `shop`, its moments written as people write them."""
    path = tmp_path / "shop.sqlite"
    connection = sqlite3.connect(path)
    table = orders()
    table.assign(created_at=table["created_at"].str.replace(" ", "T") + "Z").to_sql("orders", connection, index=False)
    connection.execute("CREATE VIEW late_orders AS SELECT * FROM orders WHERE region = 'north'")
    connection.close()
    monkeypatch.setenv("AIRFLOW_CONN_SHOP", connection_env(connections.Settings("shop", "sqlite", host=str(path))))
    return path


def test_a_table_behind_a_connection_is_read_where_it_is(models, shop, capsys):
    before = shop.read_bytes()
    assert init("--from", "shop", "--table", "orders") == 0
    assert "export" not in capsys.readouterr().out
    assert 'connection="shop"' in (models / "returns.py").read_text()
    assert "strftime('%Y-%m-%d %H:%M:%f000', t.created_at) AS created_at" in (models / "returns.sql").read_text()
    assert shop.read_bytes() == before


@pytest.mark.parametrize("options", [[], ["--table", "nonesuch"]])
def test_a_table_that_is_missing_is_told_with_those_that_are_there(models, shop, capsys, options):
    assert init("--from", "shop", *options) == 1
    told = capsys.readouterr().err
    assert "it has late_orders, orders" in told
    assert "--table" in told


def test_a_connection_of_another_kind_is_refused(models, capsys, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_LAKE", '{"conn_type": "aws"}')
    assert init("--from", "lake", "--table", "t") == 1
    assert "is of type 'aws', not sqlite or postgres. Give another with --from." in capsys.readouterr().err
