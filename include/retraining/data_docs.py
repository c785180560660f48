"""Great Expectations' own page of a validation as one self-contained document in which every value is dead text.

Great Expectations 1.24 writes unexpected values and column names unescaped and loads scripts from public hosts. So
every character that could mean something to HTML, Markdown or a template is swapped for a private-use one before
rendering; the rendered markup is cut down to an allow-list; only then do the characters come back, as entities.
"""

import html
import logging
import re
import string
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from include.retraining import gx_door, phrases

if TYPE_CHECKING:
    from jinja2 import Template

UI = Path(__file__).parent / "ui"
STYLES = ("palette.css", "data_docs.css")
PRIVATE = 0xE000
ARMOUR = {ord(char): PRIVATE + ord(char) for char in set(string.punctuation) - set(".,:;-/%_+")}
TAGS = {"b", "br", "code", "div", "em", "h5", "h6", "i", "li", "p", "pre", "span", "strong", "ul"}
TABLE_TAGS = {"table", "tbody", "td", "th", "thead", "tr"}
CLASSES = {"alert", "badge", "ge-section", "table", "table-bordered", "text-danger", "fa-check-circle", "fa-times"}
CLASSES |= {"fa-exclamation-triangle", "broken-critical", "broken-warning", "broken-info", "tag", "unjudged"}
CONDITION = {"row_condition", "condition_parser"}  # a language of its own, which armour would break
TABLE_LEVEL = "Table-Level Expectations"  # where GX puts what is not about one column
FOLDED = False
"""Whether templates are optimised: a process draws few pages, and to fold constants takes longer than it saves."""
# GX says success by icon fonts that are not loaded here: words instead.
STATUS = {
    '<i class="fa-check-circle"></i>': '<span class="held">held</span>',
    '<i class="fa-times text-danger"></i>': '<span class="broken">did not hold</span>',
    '<i class="fa-exclamation-triangle"></i>': '<span class="broken">raised an error</span>',
}

logger = logging.getLogger(__name__)


def page(result: dict[str, Any], found: list[dict[str, Any]]) -> str:
    """Return one HTML document: our headline, what did not hold, then Great Expectations' page.

    Parameters
    ----------
    result : dict
        The plain result of a validation.
    found : list of dict
        Great Expectations' own results, tidied, in the suite's order.
    """
    from markupsafe import Markup

    version = gx_door.load().__version__
    judged = [row for row in result["expectations"] if row.get("judged", True)]
    return _own_template().render(
        result=result,
        title=phrases.day(**_bounds(result), timezone=result["timezone"]),
        outcome=phrases.OUTCOMES[result["outcome"]],
        failed=phrases.failed(result["expectations"]),
        held=sum(row["success"] for row in judged),
        judged=len(judged),
        body=Markup(_body(result, found)),
        style=Markup("".join((UI / name).read_text(encoding="utf-8") for name in STYLES)),
        version=version,
    )


@cache
def _own_template() -> "Template":
    from jinja2 import Environment, FileSystemLoader

    environment = Environment(
        loader=FileSystemLoader(UI / "templates"), autoescape=True, trim_blocks=True, optimized=FOLDED
    )
    words = {"number": phrases.number, "share": phrases.share, "visible": phrases.visible}
    environment.filters |= {**words, "set_aside": phrases.set_aside}
    return environment.get_template("data_docs.html")


@cache
def _gx_template() -> "Template":
    from great_expectations.render.view import DefaultJinjaPageView

    sections = "{% for section in sections %}{% set section_loop = loop %}{% include 'section.j2' %}{% endfor %}"
    environment = DefaultJinjaPageView().env
    environment.optimized = FOLDED
    template: Template = environment.from_string(sections)
    return template


def _bounds(result: dict[str, Any]) -> dict[str, datetime]:
    return {bound: datetime.fromisoformat(moment) for bound, moment in result["interval"].items()}


def _body(result: dict[str, Any], found: list[dict[str, Any]]) -> str:
    try:
        drawn = _drawn(result, found)
    except Exception as error:  # a page that cannot be drawn must not lose the validation
        logger.exception("Great Expectations could not draw its page.")
        return f"<p>Great Expectations could not draw its part of this page: {html.escape(type(error).__name__)}.</p>"
    return _disarmoured(_sanitised(drawn))


def _drawn(result: dict[str, Any], found: list[dict[str, Any]]) -> str:
    """Return what Great Expectations draws of every section but its overview, which our headline replaces."""
    from great_expectations.core.expectation_validation_result import expectationSuiteValidationResultSchema
    from great_expectations.render.renderer.page_renderer import ValidationResultsPageRenderer

    held = sum(one["success"] for one in found)
    statistics = {
        "evaluated_expectations": len(found),
        "successful_expectations": held,
        "unsuccessful_expectations": len(found) - held,
        "success_percent": 100 * held / len(found) if found else None,
    }
    loaded = expectationSuiteValidationResultSchema.load(
        {
            "suite_name": armoured(result["suite"]),
            "success": held == len(found),
            "results": [_armoured_result(one) for one in found],
            "statistics": statistics,
            "meta": {},
        }
    )
    document = ValidationResultsPageRenderer().render(loaded).to_json_dict()
    rows = result["expectations"]
    told = rows if len(rows) == len(found) else [{} for _ in found]
    sections = _with_reasons(_opened(document["sections"][1:]), list(zip(found, told, strict=True)))
    return _gx_template().render(sections=sections)


def _with_reasons(sections: list[dict[str, Any]], found: list[tuple[dict[str, Any], ...]]) -> list[dict[str, Any]]:
    """Add severity and notes to each row: GX 1.24 shows neither, but keeps the order within a column."""
    for section in sections:
        _, table = section["content_blocks"]
        about = [(one, row) for one, row in found if armoured(_place(one)) == section["section_name"]]
        table["header_row"] += ["Severity", "Why"]
        for cells, (one, row) in zip(table["table"], about, strict=True):
            cells += [_severity(one, row), armoured(_why(one))]
            cells[0] = cells[0] if row.get("judged", True) else _words("not judged", "unjudged")
    return sections


def _why(one: dict[str, Any]) -> str:
    """Return an expectation's notes, after its condition if it has one: GX is not given that to draw."""
    config = one["expectation_config"]
    condition = f"{phrases.limit(one)}. " if CONDITION & set(config["kwargs"]) else ""
    return f"{condition}{config.get('notes') or ''}"


def _severity(one: dict[str, Any], row: dict[str, Any]) -> dict[str, Any]:
    severity = one["expectation_config"]["severity"]
    words = _words(severity, *([] if one["success"] else [f"broken-{severity}"]))
    if row.get("source") == "default":
        words["string_template"]["template"] += " $source"
        words["string_template"]["params"] = {"source": "default"}
        words["string_template"]["styling"]["params"] = {"source": {"classes": ["tag"]}}
    return words


def _words(text: str, *classes: str) -> dict[str, Any]:
    template = {"template": text, "params": {}, "styling": {"classes": list(classes)}}
    return {"content_block_type": "string_template", "string_template": template}


def _place(one: dict[str, Any]) -> str:
    return str(one["expectation_config"]["kwargs"].get("column", TABLE_LEVEL))


def armoured(value: Any) -> Any:
    """Return a JSON value whose texts, keys included, hold no character with a meaning."""
    if isinstance(value, dict):
        return {armoured(key): armoured(held) for key, held in value.items()}
    if isinstance(value, list):
        return [armoured(held) for held in value]
    return value.translate(ARMOUR) if isinstance(value, str) else value


def _armoured_result(one: dict[str, Any]) -> dict[str, Any]:
    """Return a result with armoured contents; the names that Great Expectations itself reads stay."""
    config, raised = one["expectation_config"], one["exception_info"]
    kwargs = {name: armoured(value) for name, value in config["kwargs"].items() if name not in CONDITION}
    return {
        "success": one["success"],
        "expectation_config": {"type": config["type"], "meta": {}, "kwargs": kwargs},
        "result": {name: _armoured_found(name, value) for name, value in _drawable(one).items()},
        "exception_info": {**raised, "exception_message": armoured(raised["exception_message"])},
        "meta": {},
    }


def _drawable(one: dict[str, Any]) -> dict[str, Any]:
    """Return findings that GX 1.24 can draw: it trips over a count of unexpected values without their share."""
    found: dict[str, Any] = one["result"]
    if "unexpected_count" in found and found.get("unexpected_percent") is None:
        examples = phrases.examples(found.get("partial_unexpected_list") or [], phrases.MOST)
        words = phrases.observed({**one, "result": {**found, "observed_value": None}}, hidden=False)
        return {"observed_value": ": ".join([words, *([", ".join(examples)] if examples else [])])}
    return found


def _armoured_found(name: str, value: Any) -> Any:
    if name == "observed_value" and isinstance(value, list):
        return armoured(phrases.number(value))  # GX would print the list's repr
    return armoured(value)


def _opened(tree: Any) -> Any:
    """Return a rendered tree with its collapsed parts in the open: nothing here can be clicked."""
    if isinstance(tree, dict):
        if tree.get("content_block_type") == "collapse":
            return _opened(tree["collapse"])
        return {name: _opened(held) for name, held in tree.items()}
    return [_opened(held) for held in tree] if isinstance(tree, list) else tree


def _sanitised(drawn: str) -> str:
    import nh3

    clean = nh3.clean(
        drawn,
        tags=TAGS | TABLE_TAGS,
        attributes={"*": {"class"}},
        attribute_filter=_only_known_classes,
        clean_content_tags={"script", "style"},
        link_rel=None,
    )
    for icon, words in STATUS.items():
        clean = clean.replace(icon, words)
    clean = clean.replace("<h5", "<h3").replace("</h5>", "</h3>").replace("<h6", "<h4").replace("</h6>", "</h4>")
    return re.sub(r"\s*\n\s*", "\n", clean)


def _only_known_classes(_tag: str, _attribute: str, value: str) -> str | None:
    return " ".join(name for name in value.split() if name in CLASSES) or None


def _disarmoured(clean: str) -> str:
    return re.sub(r"[\ue000-\ue07f]", lambda found: html.escape(chr(ord(found[0]) - PRIVATE)), clean)
