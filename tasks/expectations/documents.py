"""The Data Docs: what was expected and found, as pages that are read without a network.

The first page says every check in plain words; one page a table shows it as Great Expectations
renders it, in a stylesheet of ours in place of those that its own pages load from elsewhere.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from copy import deepcopy
from html import escape
from pathlib import Path
from typing import Any

from jinja2 import ChoiceLoader, Environment, FileSystemLoader

from tasks.expectations.audit import Judged, plain
from tasks.expectations.wording import demand, told, verdict
from tasks.stage.outputs import whole

TEMPLATES = Path(__file__).with_name("templates")


def write_documents(judged: Sequence[Judged], folder: Path) -> None:
    """Write `index.html` and a page a table into `folder`, whole or not at all."""
    titles = list(dict.fromkeys(one.table.title for one in judged))
    groups = {title: [one for one in judged if one.table.title == title] for title in titles}
    with whole(folder) as draft:
        draft.mkdir()
        _write(draft / "index.html", _index(groups))
        for title, group in groups.items():
            if any(one.result is not None for one in group):
                _write(draft / page_name(title), _page(title, group))


def page_name(title: str) -> str:
    """The file of a table's page."""
    return f"{re.sub('[^a-z0-9]+', '-', title.lower())}.html"


def _index(groups: dict[str, list[Judged]]) -> str:
    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True)
    verdicts = Counter(verdict(one) for group in groups.values() for one in group)
    tables: list[dict[str, Any]] = [
        {
            "title": title,
            "page": page_name(title) if any(one.result is not None for one in group) else None,
            "checks": [_check(one) for one in group],
        }
        for title, group in groups.items()
    ]
    attention = [
        {**check, "title": table["title"]}
        for wanted in ("not met", "warned")
        for table in tables
        for check in table["checks"]
        if check["verdict"] == wanted
    ]
    return environment.get_template("index.html.j2").render(
        tables=tables, counts=verdicts, attention=attention
    )


def _check(one: Judged) -> dict[str, Any]:
    """A check as the first page tells it."""
    return {**one.outcome(), "verdict": verdict(one), "demand": demand(one), "told": told(one)}


def _page(title: str, group: Sequence[Judged]) -> str:
    """A table's page, as Great Expectations renders it."""
    from great_expectations.core import ExpectationSuiteValidationResult
    from great_expectations.render.renderer import ValidationResultsPageRenderer

    results = [_without_records(one) for one in group if one.result is not None]
    document = ValidationResultsPageRenderer().render(
        ExpectationSuiteValidationResult(
            success=all(one.ok is not False for one in group),
            results=results,
            suite_name=title,
            meta={},
        )
    )
    document.sections = document.sections[1:]  # the first tells about the library's own objects
    return str(_view().render(document, title=title))


def _view() -> Any:
    """Great Expectations' view, with our page around its sections."""
    from great_expectations.render.view import DefaultJinjaPageView

    view = DefaultJinjaPageView()
    view.env.loader = ChoiceLoader([FileSystemLoader(TEMPLATES), view.env.loader])
    return view


def _without_records(one: Judged) -> Any:
    """A result as Great Expectations renders it: it escapes neither descriptions nor values."""
    result = deepcopy(one.result)
    found = {key: value for key, value in result.result.items() if not key.startswith("partial")}
    result.result = _escaped(plain(found))
    result.expectation_config.description = escape(result.expectation_config.description)
    return result


def _escaped(value: Any) -> Any:
    if isinstance(value, dict):
        return {escape(key): _escaped(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_escaped(item) for item in value]
    return escape(value) if isinstance(value, str) else value


def _write(path: Path, content: str) -> None:
    path.write_text(content, encoding="utf-8")
