r"""Pure: the lines of an env file become variables as docker compose reads them, and a variable becomes a line.

Quotes go away; what is in single ones stays as it is. In double ones `\n`, `\"`, `\\` and the like mean what they mean.
Without any, a comment may follow after a blank. But in single quotes, `$NAME` and `${NAME:-other}` are filled in.
"""

import re
from collections.abc import Mapping

LINE = re.compile(
    r"""^[ \t]*(?:export[ \t]+)?(?P<name>[A-Za-z_][\w.]*)[ \t]*=[ \t]*"""
    r"""(?:'(?P<single>(?:[^'\\]|\\.)*)'|"(?P<double>(?:[^"\\]|\\.)*)"|(?P<bare>[^\n]*))""",
    re.MULTILINE | re.DOTALL,
)
ESCAPED = re.compile(r"\\([abfnrtv$\"\\])")
MEANING = {**dict(zip("abfnrtv", "\a\b\f\n\r\t\v", strict=True)), "$": "$$"}
NAMED = re.compile(
    r"\$(?:(?P<dollar>\$)|(?P<bare>[A-Za-z_]\w*)|\{(?P<name>[A-Za-z_]\w*)(?:(?P<how>:?-)(?P<other>[^}]*))?\})"
)
PLAIN = re.compile(r"[^\s'\"$][^\n$]*")


def parse(text: str, known: Mapping[str, str]) -> dict[str, str]:
    r"""Return the variables of an env file; ``known`` ones are filled in where it names them, and win.

    >>> parse('A="1 # 2"\nB=x # why\nexport C=\'$A\'\nD="a\\nb"\nE=${A}-${X:-none}', {})
    {'A': '1 # 2', 'B': 'x', 'C': '$A', 'D': 'a\nb', 'E': '1 # 2-none'}
    """
    found: dict[str, str] = {}
    for one in LINE.finditer(text):
        found[one["name"]] = _value(one, {**found, **known})
    return found


def line(name: str, value: str) -> str:
    r"""Return one line that reads as the value again, without quotes where it needs none.

    >>> line("A", '{"b": 1}'), line("A", "x # y"), line("A", "it's $5")
    ('A={"b": 1}', "A='x # y'", 'A="it\'s \\$5"')
    """
    if PLAIN.fullmatch(value) and " #" not in value and value == value.strip():
        return f"{name}={value}"
    if "'" not in value and "\\" not in value:
        return f"{name}='{value}'"
    return f'{name}="' + re.sub(r'(["\\$])', r"\\\1", value).replace("\n", "\\n") + '"'


def _value(one: "re.Match[str]", known: Mapping[str, str]) -> str:
    if one["single"] is not None:
        return one["single"].replace("\\'", "'")
    if one["double"] is not None:
        return _filled(ESCAPED.sub(lambda found: MEANING.get(found[1], found[1]), one["double"]), known)
    return _filled(one["bare"].partition(" #")[0].rstrip(), known)


def _filled(text: str, known: Mapping[str, str]) -> str:
    return NAMED.sub(lambda found: "$" if found["dollar"] else _named(found, known), text)


def _named(found: "re.Match[str]", known: Mapping[str, str]) -> str:
    value = known.get(found["bare"] or found["name"])
    is_missing = value is None or (not value and found["how"] == ":-")
    return found["other"] or "" if is_missing else str(value)
