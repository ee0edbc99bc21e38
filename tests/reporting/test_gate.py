"""The gate's section of the page, and what its verdict does to the headline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tasks.inference.release import MODEL, TOKENIZER, Release
from tasks.reporting.page import write_page
from tasks.reporting.summary import print_summary
from tests.reporting.made import leave
from tests.reporting.test_page import HOSTILE, drawings, read, said

LOSES = "it loses 0.9 points against v1.3.0 on 1,012 test texts (84.10 → 83.20 %), gate.max_drop"


def contender(figure: float) -> dict[str, Any]:
    latency = {"mean": 0.61, "p50": 0.6, "p90": 0.8, "p99": 1.1, "interval": [0.6, 0.63]}
    return {"metric": "accuracy", "figure": figure, "interval": [figure - 0.02, figure + 0.02],
            "others": {"accuracy": figure, "macro_f1": figure - 0.003},
            "latency_ms": latency, "megabytes": 17.3}  # fmt: skip


def change(drop: float, **more: Any) -> dict[str, Any]:
    return {"texts": 1012, "figure": 0.832, "reference": 0.832 + drop / 100, "drop": drop,
            "drop_interval": [drop - 1, drop + 1], "p_value": 0.2, **more}  # fmt: skip


def check(name: str, ok: bool, detail: str, waived: bool = False) -> dict[str, Any]:
    return {"name": name, "kind": "change", "observed": None if waived else 0.9, "limit": 0.5,
            "direction": "at most", "ok": ok, "waived": waived, "detail": detail}  # fmt: skip


def judged(verdict: str, *reasons: str, **more: Any) -> dict[str, Any]:
    return {
        "verdict": verdict,
        "metric": "accuracy",
        "reasons": list(reasons),
        "checks": [check("drop, points", verdict != "refused", LOSES)],
        "waived": [],
        "warnings": [],
        "candidate": {"digest": "d", **contender(0.832)},
        "champion": {"version": "v1.3.0", "recorded_figure": 0.85, **contender(0.841)},
        "best": None,
        "change": change(0.9),
        "total": None,
        "slices": [
            {"kind": "class", "value": "good", "p_corrected": 0.4, "ok": True, **change(-0.5)},
            {"kind": "class", "value": "rare", "p_corrected": None, "ok": True, **change(30)},
        ],
        "metrics": {"texts": 1012},
        **more,
    }


def page_of(report: dict[str, Any]) -> str:
    leave(Path(), {"gate": report})
    page = write_page().read_text(encoding="utf-8")
    read(page)
    return page


def section(page: str) -> str:
    return page.partition('<section id="gate">')[2].partition("</section>")[0]


def test_a_refused_model_is_not_praised(good: Any, capsys: pytest.CaptureFixture[str]) -> None:
    page = page_of(judged("refused", LOSES))

    top = said(page.partition("<main>")[0])
    assert "Refused by the gate: v1.3.0 stays in production." in top
    assert LOSES in top
    assert "A 2-layer int8 model" not in top
    assert "✕ gate" in top
    print_summary()
    told = capsys.readouterr().out
    assert "Refused by the gate" in told
    assert "release:" not in told


def test_the_section_shows_checks_contenders_and_slices(good: Any) -> None:
    gate = section(page_of(judged("refused", LOSES)))

    text = said(gate)
    for part in ("1,012 test texts", "v1.3.0 in production 84.10", "85.00", "at most 0.5", LOSES,
                 "class good 1,012", "class rare", "too few"):  # fmt: skip
        assert part in text, part
    wide, narrow = drawings(gate)
    names = [text.text for text in wide.iter("text")]
    assert "all, against v1.3.0" in names
    assert "class good" in names
    assert "class rare" not in names, "what is not judged is no evidence"
    assert narrow.get("aria-label") == wide.get("aria-label")


def test_a_blessed_model_keeps_its_headline(good: Any) -> None:
    text = said(page_of(judged("blessed")))
    assert "A 2-layer int8 model: 84.4 % on test" in text
    assert "✓ gate" in text
    assert "Whether it may be published ✓ blessed" in text


def test_what_was_waived_is_said(good: Any) -> None:
    first = judged("blessed", checks=[check("drop, points", True, "no version", waived=True)],
                   waived=["drop, points"], champion=None, change=None, slices=[])  # fmt: skip
    gate = section(page_of(first))
    assert "or this is a new major one: drop, points." in said(gate)
    assert "○ waived drop, points" in said(gate)
    assert drawings(gate) == []


def test_nothing_new_says_what_stays(good: Any) -> None:
    told = "it is v1.3.0, which is in production, bit for bit"
    page = page_of(judged("nothing new", told, checks=[], slices=[], change=None))
    top = said(page.partition("<main>")[0])
    assert "Nothing new: v1.3.0 stays in production." in top
    assert told in top


def test_a_gate_that_failed_is_no_verdict(good: Any) -> None:
    away = {"status": "failed", "reason": "the store is away", "retryable": True, "metrics": {}}
    text = said(page_of(away))
    assert "gate failed: nothing is published." in text
    assert text.count("the store is away") == 2


def test_a_verdict_about_another_release_is_marked_and_not_believed(
    good: Any, workspace: Path
) -> None:
    folder = workspace / "models/release"
    folder.mkdir(parents=True)
    for name in (MODEL, TOKENIZER):
        (folder / name).touch()
    release = Release(("bad", "good"), 32, ("input_ids",), "int8", "level1").write(folder)

    old = page_of(judged("refused", LOSES))
    new = page_of(judged("refused", LOSES, candidate={"digest": release.digest}))

    assert "A 2-layer int8 model" in said(old)
    assert "from an earlier run" in said(section(old))
    assert "Refused by the gate" in said(new)
    assert "from an earlier run" not in said(section(new))


def test_without_a_verdict_there_is_no_section(good: Any) -> None:
    assert 'id="gate"' not in write_page().read_text(encoding="utf-8")


def test_hostile_words_are_only_ever_text(good: Any) -> None:
    slices = [{"kind": "class", "value": HOSTILE, "p_corrected": 0.4, "ok": True, **change(1)}]
    report = judged("refused", HOSTILE, slices=slices, waived=[HOSTILE], warnings=[HOSTILE],
                    checks=[check(HOSTILE, False, HOSTILE)])  # fmt: skip
    page = page_of(report)
    assert not read(page).tags & {"script", "img"}
    assert read(page).handlers == []
    drawings(page)
