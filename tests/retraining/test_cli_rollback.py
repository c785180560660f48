"""``rollback`` on the command line: the same plan, the same table, the same refusals as the DAG."""

import json
from pathlib import Path

import pytest

from include.retraining import cli, connections, libraries, specs
from include.retraining.registry import Registry
from tests.conftest import SECRET, connection_env
from tests.retraining import toy
from tests.retraining.desks import objects, trained

MODEL, FIRST, SECOND = "flight_delays", "20130120-0123456789ab", "20130216-ba9876543210"
COMMAND = ["rollback", MODEL, "--reason", "It is wrong."]


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """Return the registry that the environment's Connections name: two versions, the second one live."""
    monkeypatch.setenv("AIRFLOW_CONN_STORE", json.dumps({"conn_type": "fs", "extra": {"path": str(tmp_path / "s")}}))
    key = connections.Settings("signing", "generic", login="key-1", password=SECRET)
    monkeypatch.setenv("AIRFLOW_CONN_SIGNING", connection_env(key))
    monkeypatch.setenv("LOGNAME", "ann")
    desk = Registry(connections.open_store(), connections.open_keyring(), MODEL)
    for base, version in enumerate((FIRST, SECOND)):
        window = {"start": "2013-01-01T05:00:00+00:00", "end": f"{version[:4]}-{version[4:6]}-{version[6:8]}"}
        about = {"training_window": window, "libraries": libraries.versions(), "run": f"run {version}"}
        desk.register(version, {**trained(), "baseline.json": b"{}"}, about)
        entry = {"reason": "Better.", "actor": "scheduled", "nonce": version, "run": f"run {version}"}
        desk.promote(version, base, toy.day(base).start, {**entry, "verdict_sha256": "0" * 64})
    return desk


def test_it_prints_the_change_beside_every_version_and_the_entry_it_made(registry: Registry, capsys) -> None:
    assert cli.main(COMMAND) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{MODEL}: from {SECOND} to {FIRST}, effective from 20240102T000000Z. Reason: It is wrong. (cli:ann)",
        "",
        "version                trained                   live_since        entry  rollback",
        f"{SECOND}  2013-01-01 to 2013-02-16  20240102T000000Z  2      from",
        f"{FIRST}  2013-01-01 to 2013-01-20  20240101T000000Z  1      to",
        "Rolled back: entry 3.",
    ]
    content = registry.head().content
    assert (content["action"], content["version"], content["actor"]) == ("rollback", FIRST, "cli:ann")
    assert (content["reason"], content["run"]) == ("It is wrong.", f"run {FIRST}")


def test_a_second_call_restores_what_the_first_one_took_back(registry: Registry) -> None:
    assert [cli.main(COMMAND), cli.main(COMMAND)] == [0, 0]
    assert [entry.version for entry in registry.log()] == [FIRST, SECOND, FIRST, SECOND]


def test_a_dry_run_prints_the_same_and_changes_nothing(registry: Registry, capsys) -> None:
    before = objects(registry.store)
    assert cli.main([*COMMAND, "--to", FIRST, "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert f"from {SECOND} to {FIRST}" in out
    assert out.splitlines()[-1] == "Dry run: nothing was changed."
    assert objects(registry.store) == before


@pytest.mark.parametrize(("options", "entry"), [([], 3), (["--dry-run"], None)])
def test_as_json_it_is_the_plan_and_the_entry(
    registry: Registry, capsys, options: list[str], entry: int | None
) -> None:
    assert cli.main([*COMMAND, "--json", *options]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["previous"], told["version"], told["base"], told["entry"]) == (SECOND, FIRST, 2, entry)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--reason", " "], "BadInput: The reason is empty. Say why the champion has to go"),
        (["--to", SECOND], f"BadInput: {SECOND} is the champion of {MODEL} already (entry 2). Nothing was changed."),
        (["--to", "newest"], f"BadInput: There is no version 'newest' of {MODEL}; those that exist, newest first: "),
    ],
)
def test_a_refusal_is_one_message_and_status_1(registry: Registry, capsys, options: list[str], message: str) -> None:
    before = objects(registry.store)
    assert cli.main([*COMMAND, *options]) == 1
    found = capsys.readouterr()
    assert found.err.startswith(message)
    assert (found.err.count("\n"), found.out) == (1, "")
    assert objects(registry.store) == before


def test_an_unknown_model_names_those_that_exist(registry: Registry, capsys) -> None:
    assert cli.main(["rollback", "nonesuch", "--reason", "It is wrong."]) == 1
    assert f"Known models: {', '.join(specs.names())}." in capsys.readouterr().err


def test_without_a_reason_the_call_itself_is_refused(registry: Registry, capsys) -> None:
    with pytest.raises(SystemExit) as left:
        cli.main(["rollback", MODEL])
    assert left.value.code == 2
    assert "--reason" in capsys.readouterr().err


def test_a_user_without_a_name_is_told_by_number(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container may run under any number, with no line of its own in /etc/passwd."""
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.getuid", lambda: 54321)
    assert cli.main(COMMAND) == 0
    assert registry.head().content["actor"] == "cli:54321"
