"""The house as design.md draws it: who may import what, how long things are, and which words are used."""

import ast
import re
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from include.retraining import errors

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ROOT / "include" / "retraining"
SOURCES = sorted([*ROOT.glob("include/**/*.py"), *ROOT.glob("dags/*.py"), *ROOT.glob("plugins/*.py")])
TREES = {path: ast.parse(path.read_text()) for path in SOURCES}


def words(text: str) -> list[str]:
    return text.split()


AIRFLOW = {
    "assets.py",
    "connections.py",
    "links.py",
    "metrics.py",
    "alerts.py",
    "retries.py",
    "timetables.py",
    "ui/auth.py",
}
PURE = words(
    "windows keys spec privacy drift evaluation decision promotion expectations phrases model_card errors tables "
    "inventory retention findings relative limits learning proposing tried suite_diff binding default_expectations "
    "derived treated judging measuring predicting recalibration correcting sketches effects crossings looks personal "
    "guessing roles sizing dialects drafting env_lines folds parsimony policies "
    "policy_mistakes movement state questions ui/documents ui/trends ui/plots joining "
    "replayed replaying replay_scores replay_ours replay_runners replay_report replay_drawing rivals"
)
DOORS = set(words("warehouse store s3 connections alerts metrics assets links intake registry snapshots records files"))
DOORS |= {"predictions", "corrections", "histories", "refits", "run_notes"}
CLIENTS = set(
    words("airflow boto3 botocore sqlalchemy psycopg2 sqlite3 fastapi requests urllib http socket subprocess")
)
CLIENTS |= {"os", "tempfile", "random", "time", "secrets"}
CORRIDOR = {
    "score_steps": {"dags/score.py"},
    "steps": {"dags/retrain.py", "dags/rollback.py", "dags/maintenance.py"},
    "outcome": {"include/retraining/steps.py"},
    "deciding": {"include/retraining/steps.py"},
    "comparing": {"include/retraining/steps.py", "include/retraining/deciding.py"},
}
CLOCKS = {"now", "utcnow", "today"}
HEAVY = words("pandas numpy sklearn scipy joblib great_expectations boto3 botocore pyarrow fastapi")
BANNED = {
    "execution date": r"execution[ _]date",
    "y_true": r"\by_true\b",
    "test set": r"\btest[ _]set\b",
    "ground truth": r"\bground[ _]truth\b",
    "anomaly": r"\banomal(y|ies|ous)\b",
    "skew": r"\bskew(ed)?\b",
    "serving model": r"\b(prod|serving)[ _]model\b",
    "old model": r"\b(old|previous)[ _]model\b",
}
FOLDERS = words("snapshots labels quarantine validations data-docs predictions calibrations runs candidates versions")
FOLDERS += ["promotions", "hints", "doctor"]
VAGUE = {"utils", "helpers", "common", "misc", "manager", "core", "base"}


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imports(tree: ast.AST) -> Iterator[tuple[str, ...]]:
    """Yield every imported name as its parts, those inside functions too, those for type checkers not."""
    guarded = {id(held) for node in ast.walk(tree) if _is_for_types(node) for held in ast.walk(node)}
    for node in ast.walk(tree):
        if id(node) in guarded:
            continue
        if isinstance(node, ast.Import):
            yield from (tuple(alias.name.split(".")) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((*str(node.module).split("."), alias.name) for alias in node.names)


def _is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    yield from (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


@pytest.mark.parametrize("path", SOURCES, ids=named)
def test_airflow_is_imported_only_by_its_doors(path):
    is_door = (
        path.parent.name in {"dags", "plugins"}
        or path.relative_to(ROOT).as_posix().removeprefix("include/retraining/") in AIRFLOW
    )
    assert is_door or not [found for found in imports(TREES[path]) if found[0] == "airflow"]


@pytest.mark.parametrize("room", PURE)
def test_a_pure_room_imports_no_door_and_no_client(room):
    found = list(imports(TREES[ROOMS / f"{room}.py"]))
    assert not [one for one in found if one[0] in CLIENTS]
    assert not [one for one in found if one[:2] == ("include", "retraining") and set(one[2:]) & DOORS]


@pytest.mark.parametrize(("room", "callers"), CORRIDOR.items(), ids=CORRIDOR)
def test_no_room_calls_back(room, callers):
    users = {named(path) for path, tree in TREES.items() for one in imports(tree) if room in one[2:]}
    assert users <= callers


def test_the_clock_is_read_in_three_places():
    """To know what lies in the future, for the time that a log entry tells people, and for a list's newest year."""
    found = {
        (path.relative_to(ROOMS).as_posix(), function.name)
        for path, tree in TREES.items()
        for function in functions(tree)
        for node in ast.walk(function)
        if isinstance(node, ast.Attribute)
        and (node.attr in CLOCKS or ast.unparse(node) == "time.time")
        and not ast.unparse(node).endswith("store.now")  # the store's own clock, which ages are told by
    }
    assert found == {("intake.py", "now_utc"), ("promotion_log.py", "append"), ("ui/catalogue.py", "_spans")}


def test_no_seed_is_global():
    unseeded = r"np\.random\.(?!default_rng|Generator)|numpy\.random\.seed|^import random"
    assert not [named(path) for path in SOURCES if re.search(unseeded, path.read_text(), re.MULTILINE)]


def test_dag_files_parse_without_any_heavy_library_and_without_any_environment(tmp_path):
    script = (
        "import runpy, sys\n"
        f"for path in {[str(path) for path in sorted(ROOT.glob('dags/*.py'))]}: runpy.run_path(path)\n"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    environment = {"PYTHONPATH": str(ROOT), "HOME": str(tmp_path), "AIRFLOW_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("path", SOURCES, ids=named)
def test_a_file_is_at_most_300_lines(path):
    assert len(path.read_text().splitlines()) <= 300


@pytest.mark.parametrize("path", sorted(ROOT.glob("dags/*.py")), ids=named)
def test_a_dag_file_is_a_table_of_contents(path):
    assert len(path.read_text().splitlines()) <= 120
    assert not [node for node in ast.walk(TREES[path]) if isinstance(node, ast.ClassDef)]


def test_functions_are_short():
    lengths = {
        (named(path), function.name): function.end_lineno - function.lineno + 1
        for path, tree in TREES.items()
        for function in functions(tree)
        if "include" in path.parts
    }
    assert {place: length for place, length in lengths.items() if length > 40} == {}
    assert statistics.median(lengths.values()) <= 12


@pytest.mark.parametrize("corridor", ["steps.py", "score_steps.py"])
def test_each_step_is_at_most_25_lines_without_loops(corridor):
    """Its docstring is the task's documentation and may be longer."""
    for step in TREES[ROOMS / corridor].body:
        if isinstance(step, ast.FunctionDef):
            first = step.body[1] if ast.get_docstring(step) and len(step.body) > 1 else step.body[0]
            assert step.end_lineno - first.lineno < 25, step.name
            assert not [node for node in ast.walk(step) if isinstance(node, ast.For | ast.While)], step.name


@pytest.mark.parametrize("word", BANNED)
def test_a_thing_has_one_name(word):
    """Design §3 says which; the glossary in the README too."""
    texts = [*SOURCES, *ROOT.glob("include/**/*.sql"), *ROOT.glob("include/**/*.html"), ROOT / "README.md"]
    found = [
        named(path) for path in texts if path.is_file() and re.search(BANNED[word], path.read_text(), re.IGNORECASE)
    ]
    assert found == []


def docstrings(tree: ast.AST) -> set[int]:
    documented = (node for node in ast.walk(tree) if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef))
    return {id(node.body[0].value) for node in documented if ast.get_docstring(node)}


@pytest.mark.parametrize("path", sorted(set(ROOMS.glob("*.py")) - {ROOMS / "keys.py"}), ids=named)
def test_object_keys_are_built_in_one_room(path):
    """No other room joins a key's parts: no ``f"{model}/versions/…"``, no ``f"{prefix}rows.parquet"``."""
    folder = re.compile(rf"(^|/)({'|'.join(FOLDERS)})/")
    ending = re.compile(r"\.(json|parquet|html|joblib)$")
    skipped = docstrings(TREES[path])
    texts = [node for node in ast.walk(TREES[path]) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    joined = [part for node in ast.walk(TREES[path]) if isinstance(node, ast.JoinedStr) for part in node.values]
    assert not [node.value for node in texts if id(node) not in skipped and folder.search(node.value)]
    assert not [node.value for node in joined if isinstance(node, ast.Constant) and ending.search(node.value)]


@pytest.mark.parametrize("path", SOURCES, ids=named)
def test_a_file_is_named_after_what_it_holds(path):
    assert not set(path.stem.split("_")) & VAGUE


def test_plugins_are_named_so_that_they_replace_nothing():
    assert all(path.name.endswith("_plugin.py") for path in ROOT.glob("plugins/*.py"))
    assert (ROOT / "plugins" / ".airflowignore").is_file()


def test_the_exception_family_is_drawn_whole():
    classes = {name for name, held in vars(errors).items() if isinstance(held, type)}
    assert classes == set(re.findall(r"[A-Z]\w+(?= {2,})|^RetrainingError$", errors.__doc__, re.MULTILINE))
    assert all(issubclass(vars(errors)[name], errors.RetrainingError) for name in classes)


@pytest.mark.parametrize("path", sorted((ROOT / "tests" / "retraining").glob("test_*.py")), ids=named)
def test_the_tests_mirror_the_rooms(path):
    rooms = {room.stem for room in ROOMS.glob("*.py")} | {room.name for room in ROOMS.iterdir() if room.is_dir()}
    assert any(path.stem.removeprefix("test_").startswith(room) for room in rooms)
