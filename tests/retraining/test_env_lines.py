"""An env file is read as docker compose reads it, and what is written reads as the same again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.retraining import env_lines

READ = {
    "plain": ("A=x y=z", "x y=z"),
    "blanks around": ("  A = x  ", "x"),
    "exported": ("export A=x", "x"),
    "double quotes": ('A="x"', "x"),
    "single quotes": ("A='x'", "x"),
    "nothing": ("A=", ""),
    "quoted nothing": ('A=""', ""),
    "quotes inside": ('A={"b": "c"}', '{"b": "c"}'),
    "a comment behind": ("A=x # why", "x"),
    "a comment behind quotes": ('A="x # y" # why', "x # y"),
    "no comment": ("A=x#y", "x#y"),
    "escapes": (r'A="a\tb\n\"c\" \\ \$d \q"', 'a\tb\n"c" \\ $d \\q'),
    "no escapes": (r"A='a\tb' # c", r"a\tb"),
    "a quote in single quotes": (r"A='it\'s'", "it's"),
    "several lines": ('A="-----BEGIN\nB=1\nEND-----"', "-----BEGIN\nB=1\nEND-----"),
    "known": ("A=$HOME/x-${HOME}", "/home/ann/x-/home/ann"),
    "earlier in the file": ('B=1\nA="${B}2"', "12"),
    "another where there is none": ("A=${NONE:-x}${EMPTY:-y}${EMPTY-z}$NONE", "xy"),
    "a dollar": ("A=$$HOME costs $5", "$HOME costs $5"),
    "no name in single quotes": ("A='$HOME'", "$HOME"),
    "the last one counts": ("A=x\nA=y", "y"),
    "a quote that does not end": ('A="x\nB=y', '"x'),
}


@pytest.mark.parametrize(("text", "value"), READ.values(), ids=READ)
def test_a_value_is_read_as_docker_compose_reads_it(text, value):
    assert env_lines.parse(text, {"HOME": "/home/ann", "EMPTY": ""})["A"] == value


def test_what_is_no_variable_is_passed_over():
    assert env_lines.parse("# A=1\n\nnonsense\n 1=2\n  # B=3\nC=4\r\n", {}) == {"C": "4"}


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r")), st.text("ab '\"\\\\$#{}\n\t"))
def test_what_is_written_is_read_again(one, other):
    lines = [env_lines.line("A", one), env_lines.line("B", other), ""]
    assert env_lines.parse("\n".join(lines), {"a": "no", "b": "no"}) == {"A": one, "B": other}
