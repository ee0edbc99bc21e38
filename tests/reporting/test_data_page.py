"""The sections `ingest` and `validate` of the page: what came, what it is like, what is odd."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from tasks.reporting.evidence import STAGES
from tasks.reporting.page import write_page
from tests.reporting import data_made as made
from tests.reporting.data_made import put
from tests.reporting.made import leave, reports
from tests.reporting.test_page import drawings, read, said


def written() -> str:
    page = write_page().read_text(encoding="utf-8")
    read(page)
    return page


def section(page: str, name: str) -> str:
    return page.partition(f'<section id="{name}">')[2].partition("</section>")[0]


def test_every_row_is_in_the_sum_and_the_sum_is_said(night: Any) -> None:
    text = said(section(written(), "ingest"))
    kept = "1,050 train + 129 validation + 137 test + 40 unlabelled"
    assert f"{kept} + 6 no label (quarantined) + 3 text too long (quarantined)" in text
    assert "= 1,400: every row that was read." in text


def test_rows_that_went_nowhere_are_an_alarm(night: Any) -> None:
    lost = night["data/intake.json"]
    lost["totals"]["rows"] += 3
    lost["files"][1]["rows"] += 3
    put(night)
    text = said(section(written(), "ingest"))
    assert "but 1,403 rows were read: 3 are not accounted for" in text
    assert "3 rows missing" in text


def test_rows_counted_twice_are_an_alarm_too(night: Any) -> None:
    night["data/intake.json"]["totals"]["duplicates"] += 2
    put(night)
    assert "2 are counted twice" in said(section(written(), "ingest"))


def test_each_night_says_what_was_new(night: Any) -> None:
    text = said(section(written(), "ingest"))
    assert "Night by night" in text
    assert "2026-01-03 116 88 21 7 0 70 9 9 0" in text, "88 new of 116, 21 repeated, 7 bad"


def test_a_year_of_nights_is_cut_and_says_so(night: Any) -> None:
    days = [made.file(1, train=9) | {"date": f"2026-{1 + day // 28:02}-{1 + day % 28:02}"}
            for day in range(300)]  # fmt: skip
    put({"data/intake.json": made.intake(*days)})
    text = said(section(written(), "ingest"))
    assert "The newest 90 of 300" in text
    assert "And 260 more nights, with 2,340 rows." in text


def test_data_without_dates_are_told_file_by_file(night: Any) -> None:
    files = [made.file(day, train=5) | {"date": None, "name": f"part-{day}.csv"} for day in (1, 2)]
    put({"data/intake.json": made.intake(*files)})
    text = said(section(written(), "ingest"))
    assert "File by file" in text
    assert "part-2.csv 5 5" in text


def test_shares_and_lengths_stand_beside_those_of_production(night: Any) -> None:
    page = section(written(), "ingest")
    assert "90.0 % −40.00" in said(page), "bad was 90 % of production's data and is 50 % now"
    boxes = [one for one in drawings(page) if one.get("aria-label") == "Lengths in characters"]
    assert "production" in [text.text for text in boxes[0].iter("text")]


def test_a_class_that_is_gone_is_named(night: Any) -> None:
    put({"data/reference.json": {"profile": made.profile(bad=5, good=5, mixed=2)}})
    assert "No row of mixed, which production" in said(section(written(), "ingest"))


def test_ten_thousand_classes_are_cut(night: Any) -> None:
    report = night["reports/ingest.json"]
    report["labels"] = [{"label": f"c{i}", "train": 10_000 - i, "validation": 1, "test": 1}
                        for i in range(10_000)]  # fmt: skip
    put(night)
    page = written()
    assert "And 9,970 more classes" in said(page)
    assert len(page) < 300_000


def test_what_was_masked_is_counted_by_kind(night: Any) -> None:
    assert "email 12×, phone 3×" in said(section(written(), "ingest"))


def test_masking_that_found_nothing_says_what_it_looked_for(night: Any) -> None:
    intake = night["data/intake.json"] | {"mask": ["email", "card"], "masked": {"email": 0}}
    put({"data/intake.json": intake})
    assert "None: looked for email, card." in said(section(written(), "ingest"))


def test_what_was_not_met_says_whether_it_stops_and_what_could_not_be_judged(night: Any) -> None:
    text = said(section(written(), "validate"))
    for part in ("Of 7 expectations 4 are met", "1 stops the run", "1 only warns", "1 could not"):
        assert part in text
    stops = text.partition("Not met: the run stops")[2].partition("Not met: a warning")[0]
    assert "production agrees noise_at_least labels of this night are wrong" in stops
    assert "0.061 the night of it 2026-01-03" in stops
    assert "not judged: no record where rows is at least 50" in text


def test_a_warning_is_said_at_the_top(night: Any) -> None:
    top = said(written().partition("<main>")[0])
    assert "About the data, 1 warning : lengths as before." in top


def test_drift_is_drawn_with_its_limits(night: Any) -> None:
    page = section(written(), "validate")
    picture = next(one for one in drawings(page) if "Drift" in (one.get("aria-label") or ""))
    kinds = [one.get("class") for one in picture.iter("line")]
    assert kinds.count("limit") == 2, "lengths of all and of new warn"
    assert kinds.count("limit hard") == 2, "and stop"
    assert len(list(picture.iter("rect"))) == 2, "both lengths are over the thin stroke"
    assert "! lengths all 1,316 0.210" in said(page)


def test_a_large_effect_that_may_be_chance_is_no_drift(night: Any) -> None:
    labels = made.expectation(
        "labels as before", "drift", "drift", True, limit=made.at_most(0.1, measure="labels")
    )
    night["reports/validate.json"]["expectations"].append(labels)
    put(night)
    assert "✓ labels new 1,316 0.310" in said(section(written(), "validate"))


def test_nights_that_production_disagrees_with_are_squares(night: Any) -> None:
    page = section(written(), "validate")
    wide, _ = [one for one in drawings(page) if "agreement" in (one.get("aria-label") or "")]
    assert [titles(one) for one in wide.iter("circle")] == ["2026-01-02"]
    assert [titles(one) for one in wide.iter("rect")] == ["2026-01-03", "together"]
    assert "88 72.0 % 61.4 % to 80.0 % 84.0 % 10.1 % 6.1 %" in said(page)


def titles(mark: ElementTree.Element) -> str:
    return "".join(mark.itertext()).partition(":")[0]


def test_without_a_version_in_production_it_says_that_nothing_was_judged(night: Any) -> None:
    why = "no version is in production yet"
    report = night["reports/validate.json"]
    report["tables"] |= {"drift": [], "agreement": []}
    for outcome in report["expectations"]:
        if outcome["table"] in ("drift", "agreement"):
            outcome |= {"ok": None, "why": why}
    put(night)
    text = said(section(written(), "validate"))
    assert text.count(f"Not judged: {why}.") == 2
    assert "4 could not be judged" in text


def test_what_was_looked_for_and_not_found_is_told_from_what_was_not_looked_for(night: Any) -> None:
    report = night["reports/validate.json"]
    report["tables"] |= {"giveaways": [], "suspects": []}
    off = {"ok": None, "why": "validate.label_errors is 0"}
    suspects = next(one for one in report["expectations"] if one["table"] == "suspects")
    suspects |= off
    put(night)
    text = said(section(written(), "validate"))
    assert "Giveaways No word, first or last sign of a text gives its class away." in text
    assert "likely wrong Not judged: validate.label_errors is 0." in text


def test_doubtful_rows_are_shown(night: Any) -> None:
    text = said(section(written(), "validate"))
    for part in ("test ~ train 137 3 2.19 %", "87 % a fine film 5 a fine, fine film 9",
                 "stars=5 positive 99.9 % 40.0 %",
                 "dull from end to end 17 good bad 97.0 %", "data/suspects.csv"):  # fmt: skip
        assert part in text, part


def test_a_stage_that_stopped_still_shows_its_bad_rows(night: Any) -> None:
    report = {**night["reports/ingest.json"], "status": "stopped", "reason": "too many bad rows"}
    report["metrics"] = {"rows_read": 9, "quarantined": 5}
    put({"reports/ingest.json": report})
    text = said(section(written(), "ingest"))
    assert "a.csv row 3 no label" in text
    assert "Where every row went" not in text, "the intake is of an earlier run"


def test_half_a_run_has_no_data_and_a_page(workspace: Path) -> None:
    leave(workspace, {"snapshot": reports(["a", "b"])["snapshot"]})
    assert said(written()).count("○ not run") == len(STAGES) - 1
