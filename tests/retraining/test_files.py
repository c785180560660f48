"""A file becomes a table: separators, decimal commas, dates, codes, marks of all kinds; or one message and no file."""

import gzip
import sqlite3
import tracemalloc
from pathlib import Path

import pandas as pd
import pytest

from include.retraining import files
from include.retraining.errors import DataError

pytestmark = pytest.mark.door


def loaded(folder: Path, content: str | bytes, name: str = "table.csv") -> pd.DataFrame:
    """Return the rows of the SQLite file that a file becomes."""
    source, target = folder / name, folder / "made.sqlite"
    source.write_bytes(content.encode() if isinstance(content, str) else content)
    files.load(source, target)
    connection = sqlite3.connect(target)
    found = pd.read_sql_query(f"SELECT * FROM {files.TABLE}", connection)
    connection.close()
    assert files.is_ours(target)
    return found


PLAIN = "at,n,word\n2024-01-31,1,a\n2024-02-01,2,b\n"


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (PLAIN, "table.csv"),
        ("\ufeff" + PLAIN, "table.csv"),
        (PLAIN.replace("\n", "\r\n"), "table.csv"),
        (PLAIN.replace(",", ";"), "table.csv"),
        (PLAIN.replace(",", "\t"), "table.tsv"),
        (PLAIN.replace(",", "|"), "table.txt"),
        (gzip.compress(PLAIN.encode()), "table.csv.gz"),
    ],
    ids=["plain", "byte order mark", "Windows", "semicolons", "tabs", "bars", "packed"],
)
def test_text_files_of_all_kinds_are_read(tmp_path, content, name):
    found = loaded(tmp_path, content, name)
    assert found.to_dict("list") == {
        "at": ["2024-01-31 00:00:00.000000", "2024-02-01 00:00:00.000000"],
        "n": [1, 2],
        "word": ["a", "b"],
        "line": [1, 2],
    }


def test_decimal_commas_are_numbers_where_semicolons_separate(tmp_path):
    found = loaded(tmp_path, "price;n\n1,5;1\n-20,25;2\n3;3\n")
    assert found["price"].tolist() == [1.5, -20.25, 3.0]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("31.01.2024", "2024-01-31 00:00:00.000000"),
        ("1.2.2024 14:05", "2024-02-01 14:05:00.000000"),
        ("31/01/2024", "2024-01-31 00:00:00.000000"),
        ("01/31/2024 10:20:30", "2024-01-31 10:20:30.000000"),
        ("2024-01-31T01:00:00+02:00", "2024-01-30 23:00:00.000000"),
        ("2024-01-31 01:02:03.5", "2024-01-31 01:02:03.500000"),
    ],
)
def test_moments_become_utc_as_the_warehouse_door_binds_them(tmp_path, written, expected):
    assert loaded(tmp_path, f"at,n\n{written},1\n")["at"].tolist() == [expected]


def test_dates_of_which_nobody_can_tell_day_and_month_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"'at' holds dates like 01/02/2024, of which nobody can tell day and month"):
        loaded(tmp_path, "at,n\n01/02/2024,1\n03/04/2024,2\n")


def test_codes_stay_texts_and_words_of_truth_become_numbers(tmp_path):
    found = loaded(tmp_path, "code,paid,note\n007,True,\n123,false,NA\n")
    assert found["code"].tolist() == ["007", "123"]
    assert found["paid"].tolist() == [1, 0]
    assert found["note"].isna().all()


def test_a_value_that_is_none_of_its_column_stays_for_validation_to_see(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "CHUNK_ROWS", 2)
    found = loaded(tmp_path, "at,n\n2024-01-31,1\n2024-02-01,2\nsoon,many\n")
    assert found["n"].tolist() == [1, 2, "many"]
    assert found["at"].tolist()[-1] == "soon"
    assert found["line"].tolist() == [1, 2, 3]


def test_odd_names_and_values_are_kept_as_they_are(tmp_path):
    names = ["select", 'say ""x""', "Größe, m²", "a:b", "line", "%s", "日本"]
    header = ",".join(f'"{name}"' for name in names)
    found = loaded(tmp_path, header + "\n" + ",".join(["\"a\nb; 'c'\""] * len(names)) + "\n")
    assert list(found.columns) == ["select", 'say "x"', "Größe, m²", "a:b", "line", "%s", "日本", "line_2"]
    assert set(found.iloc[0, :-1]) == {"a\nb; 'c'"}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "is empty"),
        ("a,b\n", "has no rows"),
        ("a,b,A\n1,2,3\n", r"columns of one name: \['A', 'a'\]"),
        ("a,,b\n1,2,3\n", "no names in its first line"),
        ("1,2\n3,4\n", "no names in its first line"),
        ("a,b\n1,2\n1,2,3\n", "cannot be read as a table: .*saw 3"),
        ("a,b\n1,\u00fc\n".encode("latin-1"), "is not UTF-8"),
        (b"a,b\n" + b"1,2\n" * 100_000 + b"\xff,2\n", "is not UTF-8"),
    ],
)
def test_what_is_no_table_is_refused_in_one_message(tmp_path, content, words):
    with pytest.raises(DataError, match=words):
        loaded(tmp_path, content)


def test_parquet_is_read_with_its_own_types(tmp_path):
    source, target = tmp_path / "table.parquet", tmp_path / "made.sqlite"
    moments = pd.to_datetime(["2024-01-31 12:00", None], utc=True)
    pd.DataFrame({"at": moments, "n": [1.5, None], "ok": [True, False], "word": ["a", None]}).to_parquet(source)
    assert files.load(source, target) == "line"
    connection = sqlite3.connect(target)
    rows = connection.execute(f"SELECT * FROM {files.TABLE}").fetchall()
    connection.close()
    assert rows == [("2024-01-31 12:00:00.000000", 1.5, 1, "a", 1), (None, None, 0, None, 2)]


def test_memory_does_not_grow_with_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "CHUNK_ROWS", 10_000)
    peaks = []
    for number, rows in enumerate([40_000, 160_000]):
        source = tmp_path / f"{number}.csv"
        source.write_text("at,n,word\n" + "2024-01-31,12345,some words\n" * rows)
        tracemalloc.start()
        files.load(source, tmp_path / f"{number}.sqlite")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.3 * peaks[0]


def test_files_that_cannot_be_read_are_named(tmp_path):
    with pytest.raises(DataError, match=r"There is no file .*none\.csv"):
        files.load(tmp_path / "none.csv", tmp_path / "made.sqlite")
    (tmp_path / "torn.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(DataError, match=r"torn\.parquet cannot be read as a table"):
        files.load(tmp_path / "torn.parquet", tmp_path / "made.sqlite")
    (tmp_path / "torn.csv.gz").write_bytes(gzip.compress(PLAIN.encode())[:-9])
    with pytest.raises(DataError, match=r"torn\.csv\.gz cannot be"):
        files.load(tmp_path / "torn.csv.gz", tmp_path / "made.sqlite")


def test_a_database_of_somebody_else_is_not_ours(tmp_path):
    connection = sqlite3.connect(tmp_path / "own.sqlite")
    connection.execute("CREATE TABLE t (a)")
    connection.close()
    (tmp_path / "no.sqlite").write_text("no database")
    assert not files.is_ours(tmp_path / "own.sqlite")
    assert not files.is_ours(tmp_path / "no.sqlite")


@pytest.mark.parametrize(
    ("name", "expected"), [("a.csv", True), ("./a", True), ("A.PARQUET", True), ("warehouse", False)]
)
def test_a_file_is_told_from_a_connection_by_its_name(name, expected):
    assert files.is_file(name) is expected
