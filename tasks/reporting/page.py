"""reports/index.html: one page, self-contained, that says what a run did and why to trust it.

Texts in it come from people's data and are treated as hostile: every value is escaped.
"""

from __future__ import annotations

from functools import cache, partial
from pathlib import Path
from typing import Any

import yaml
from jinja2 import ChainableUndefined, Environment, FileSystemLoader

from tasks.reporting import data_figures, figures, heads, measured
from tasks.reporting.data_page import data_content
from tasks.reporting.evidence import STAGES, Evidence, read_evidence, records
from tasks.reporting.headline import headline
from tasks.reporting.letters import clean
from tasks.reporting.mistakes import mistakes
from tasks.reporting.ratings import histogram
from tasks.reporting.wording import FILTERS, known
from tasks.reporting.yardstick import task_in, yardstick
from tasks.stage.outputs import whole

PAGE = Path("reports/index.html")
TEMPLATES = Path(__file__).parent / "templates"


def write_page() -> Path:
    """Write `reports/index.html` of the workspace from whatever its stages left; returns its path.

    A run that failed or is half done gives a page too, which says so.
    """
    text = render(read_evidence())
    with whole(PAGE) as draft:
        draft.write_text(text, encoding="utf-8")
    return PAGE


def render(evidence: Evidence) -> str:
    """The page as HTML."""
    return clean(_environment().get_template("page.html.j2").render(_content(evidence)))


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=ChainableUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(FILTERS)
    return environment


def _content(evidence: Evidence) -> dict[str, Any]:
    stages = evidence.stages
    levels = records(stages["prune"].report.get("levels"))
    timed = {name: known(stages[name].timing.get("seconds")) for name in STAGES}
    recovered = yardstick(evidence, stages["prune"].report)
    after = {"gate": evidence.gate} if evidence.gate.state != "not run" else {}
    return {
        "evidence": evidence,
        "headline": headline(evidence),
        "stages": stages,
        "shown": stages | after,
        "figures": figures,
        "data": data_content(evidence),
        "data_figures": data_figures,
        "histogram": histogram,
        "contenders": measured.contenders(evidence),
        "steps": measured.steps(evidence),
        "mistakes": mistakes(stages["benchmark"].report),
        "heads": heads.heads(evidence),
        "yardstick": partial(yardstick, evidence),
        "further": lambda report: heads.further(report, task_in(evidence, report)),
        "levels": [(level, figures.damage(level, recovered)) for level in levels],
        "seconds": timed,
        "total_seconds": sum(value or 0 for value in timed.values()),
        "params": yaml.safe_dump(evidence.params, sort_keys=False, allow_unicode=True),
    }
