from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tasks.reporting.evidence import STAGES
from tasks.reporting.page import write_page
from tasks.reporting.summary import print_summary
from tests.reporting.made import leave, reports

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)> \" ' & \x00 \ud83d\ude00"
VOID = {"meta", "link", "br", "img", "hr", "input"}


class Reader(HTMLParser):
    """Collects what a browser would act on, and that every tag is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.handlers: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]
        self.handlers += [name for name, _ in attrs if name.startswith("on")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    return reader


def written() -> str:
    return write_page().read_text(encoding="utf-8")


def said(page: str) -> str:
    """The page's words, narrow spaces as plain ones."""
    bare = re.sub(r"<style>.*?</style>|<[^>]+>", " ", page, flags=re.S)
    return " ".join(bare.replace("\u202f", " ").split())


def drawings(page: str) -> list[ElementTree.Element]:
    return [ElementTree.fromstring(svg) for svg in re.findall(r"<svg.*?</svg>", page, re.S)]


def test_a_good_run_says_its_verdict_with_the_numbers_of_its_reports(good: Any) -> None:
    text = said(written())
    assert "A 2-layer int8 model: 84.4 % on test where the fine-tuned one has 85.0 %" in text
    assert "13.1× faster, 17 MB in place of 91." in text
    for number in ("12,345 rows", "86.08 %", "0.610 ms", "1,639", "76.54", "0.014", "12 min 5 s"):
        assert number in text, number
    assert "level2 0 removed 2" in text


def test_every_stage_has_its_section_under_its_name(good: Any) -> None:
    page = written()
    assert re.findall(r'<section id="(\w+)">', page) == [*STAGES, "environment"]


def test_the_page_needs_nothing_from_the_network(good: Any) -> None:
    Path("reports/data_docs").mkdir()
    Path("reports/data_docs/index.html").write_text("docs")
    reader = read(written())
    assert "data_docs/index.html" in reader.links
    assert not [link for link in reader.links if "//" in link]
    assert not reader.tags & {"script", "link", "img", "iframe"}


def test_the_data_docs_are_linked_only_if_they_are_there(good: Any) -> None:
    assert "data_docs" not in written()


def test_pictures_are_well_formed_and_say_what_they_show(good: Any) -> None:
    found = drawings(written())
    assert len(found) >= 8
    for drawing in found:
        assert drawing.get("role") == "img"
        assert drawing.get("aria-label")


def test_hostile_texts_are_only_ever_text(workspace: Path) -> None:
    found = reports([HOSTILE, "b" + HOSTILE])
    found["ingest"]["quarantine"][0] |= {"text": HOSTILE, "file": HOSTILE, "label": HOSTILE}
    found["ingest"]["partitions"][0]["date"] = HOSTILE
    found["benchmark"]["worst"][0] |= {"text": HOSTILE}
    found["benchmark"]["contenders"][2]["name"] = HOSTILE
    found["prune"] |= {"status": "stopped", "reason": HOSTILE}
    leave(workspace, found)
    page = written()
    reader = read(page)
    assert not reader.tags & {"script", "img"}
    assert reader.handlers == []
    assert "&lt;script&gt;alert(1)" in page
    assert "\x00" not in page
    drawings(page)


def test_a_step_says_what_a_level_has_less_of(workspace: Path) -> None:
    found = reports(["bad", "good"])
    leave(workspace, found)
    assert "2 layers in place of 3" in said(written())
    found["prune"]["levels"][0] |= {
        "kept_layers": [0, 1, 2], "removed_layers": [],
        "leaving": [{"after": 1, "certainty": 0.97, "share": 0.346}],
    }  # fmt: skip
    leave(workspace, found)
    text = said(written())
    assert "1,382 neurons a layer in place of 1,536, sure texts early" in text
    assert "34.6 % leave after 1" in text
    assert "being sure of them" not in text
    found["prune"]["finetuned_leaving"] = [{"after": 4, "certainty": 0.76, "share": 0.72}]
    leave(workspace, found)
    text = said(written())
    assert "as it is exported, answers 72.0 % of the texts after 4 layers, being sure of" in text
    assert "ONNX Runtime in place of PyTorch, fp32, sure texts early" in text


def test_nothing_run_yet_is_a_page_too(workspace: Path) -> None:
    page = written()
    assert "Nothing has run yet" in page
    assert said(page).count("○ not run") == len(STAGES)
    read(page)


@pytest.mark.parametrize("ran", range(1, len(STAGES)))
def test_a_run_in_the_middle_says_what_has_not_run(workspace: Path, ran: int) -> None:
    found = reports(["bad", "good"])
    leave(workspace, {name: found[name] for name in STAGES[:ran]})
    page = written()
    assert f"Not finished: {STAGES[ran]} has not run to its end" in page
    assert said(page).count("○ not run") == len(STAGES) - ran
    read(page)


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_that_stopped_shows_why_at_the_top_and_in_its_section(
    good: Any, workspace: Path, name: str
) -> None:
    leave(workspace, {name: {"status": "stopped", "reason": "3 rows of column 'x'", "metrics": {}}})
    page = written()
    top, _, rest = page.partition("<main>")
    section = rest.partition(f'<section id="{name}">')[2].partition("</section>")[0]
    assert f"{name} stopped the run" in top
    assert "3 rows of column &#39;x&#39;" in top
    assert "3 rows of column &#39;x&#39;" in section
    assert "A 2-layer int8 model" not in top
    read(page)


def test_what_is_left_of_an_earlier_run_is_marked(good: Any, workspace: Path) -> None:
    leave(workspace, {"ingest": {"status": "failed", "reason": "away", "retryable": True}})
    text = said(written())
    assert text.count("from an earlier run") == 5
    assert "a second try may pass" in text


def test_a_report_that_is_not_json_is_named(good: Any) -> None:
    Path("reports/prune.json").write_text("{half")
    assert "The report of prune can't be read" in written().replace("&#39;", "'")


def test_an_expectation_not_met_shows_its_rows(good: Any, workspace: Path) -> None:
    row = good["validate"]["expectations"][0] | {
        "ok": False, "name": "labels known", "observed": {"rows": 9, "unexpected": 2},
        "examples": [{"id": "id-77", "value": "pos itive", "start": "a fine film"}],
    }  # fmt: skip
    content = {**good["validate"], "expectations": [row], "status": "stopped", "reason": "no"}
    leave(workspace, {"validate": content})
    text = said(written())
    for part in ("labels known", "2 of 9 against it", "pos itive", "a fine film", "id-77"):
        assert part in text


def test_twenty_classes_keep_their_names_and_worst_pairs(workspace: Path) -> None:
    names = [f"comp.sys.group-{i}" for i in range(20)]
    leave(workspace, reports(names))
    page = written()
    matrix = [each for each in drawings(page) if "20 classes" in (each.get("aria-label") or "")]
    assert len(matrix) == 2, "one for a wide and one for a narrow screen"
    words = " ".join(text.text or "" for text in matrix[0].iter("text"))
    assert "20 comp.sys.group-19" in words
    assert "taken for" in page


def test_a_stage_that_passed_through_says_why(good: Any, workspace: Path) -> None:
    leave(workspace, {"prune": {"levels": [], "passed_through": "gpt2 models pass through whole"}})
    page = written()
    assert "gpt2 models pass through whole" in page
    assert "level1-int8: 84.4" in said(page), "without a number of layers it goes by its name"


def test_an_int8_that_was_mended_says_how(good: Any) -> None:
    words = said(written())
    assert "bert.encoder.layer.1.output.dense was distorted most, and stayed in fp32" in words
    assert "level2-int8 has weights of 7 bits" in words
    assert words.count("export.min_agreement") == 1


def test_what_another_preset_would_ship_is_told(good: Any, workspace: Path) -> None:
    assert "careful nothing balanced level1-int8" in " ".join(said(written()).split())
    del good["benchmark"]["presets"]  # a report of an earlier version
    leave(workspace, good)
    assert "another preset" not in said(written())


def test_speed_measured_on_other_hardware_is_marked_wherever_it_stands(
    good: Any, workspace: Path
) -> None:
    told = "CPUExecutionProvider in place of CUDAExecutionProvider"
    for row in good["benchmark"]["contenders"][1:]:
        row |= {"target": "cuda", "stand_in": told}
    leave(workspace, good)
    text = said(written())
    assert "level1-int8 : the smallest that may be expected to lose" in text
    assert f"Speed had none either: it was measured on {told}." in text
    assert text.count(f"on {told}") == 3 + 3, "each row, the sentence, both tiles"


def test_what_came_before_training_and_how_much_was_trained_is_told(
    good: Any, workspace: Path
) -> None:
    text = said(written())
    assert "words hidden" not in text
    assert "parameters were trained" not in text
    good["finetune"]["adaptation"] = {
        "texts": 12345, "tokens": 99, "losses": [3.1, 2.4], "before": 4.25, "after": 2.317,
    }  # fmt: skip
    good["finetune"]["metrics"]["trained_share"] = 0.0207
    leave(workspace, good)
    text = said(written())
    assert "the encoder read 12,345 texts of the domain with words hidden, 2 times" in text
    assert "went from 4.25 to 2.32 nats" in text
    assert "2.1 % of its parameters were trained." in text


def test_the_threads_for_one_text_are_shown_with_what_each_took(good: Any) -> None:
    assert "2 1: 2.51 ms, 2: 1.42 ms" in said(written())


def test_the_page_loads_nothing_heavy(good: Any) -> None:
    heavy = "torch transformers pandas sklearn onnxruntime great_expectations dvc pyarrow"
    code = (
        "import sys; from tasks.reporting.page import write_page; write_page();"
        f"print([name for name in {heavy.split()} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_closing_table(good: Any, capsys: pytest.CaptureFixture[str]) -> None:
    write_page()
    print_summary()
    told = capsys.readouterr().out.replace("\u202f", " ")
    for part in ("85.00 %", "84.37 %", "−0.63 points", "0.610 ms", "13.1× faster", "17.3 MB"):
        assert part in told, part
    assert "index.html" in told


def test_the_closing_lines_without_a_release(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    print_summary()
    assert "Nothing has run yet" in capsys.readouterr().out
