from __future__ import annotations

from dags.verdict import as_markdown

REPORT = {
    "verdict": "blessed",
    "reasons": [],
    "warnings": ["other programs were busy"],
    "metric": "accuracy",
    "candidate": {"figure": 0.8312, "latency_ms": {"mean": 1.234}, "megabytes": 17.25},
    "champion": {
        "version": "v1.2.0", "figure": 0.835, "latency_ms": {"mean": 4.0}, "megabytes": 68.0
    },
    "checks": [
        {"name": "drop", "detail": "it loses 0.38 points", "ok": True, "waived": False},
        {"name": "slowdown", "detail": "nothing serves yet", "ok": True, "waived": True},
        {"name": "slices", "detail": "class bad loses 7.1 points", "ok": False, "waived": False},
    ],
}  # fmt: skip


def test_the_candidate_stands_beside_what_serves() -> None:
    lines = as_markdown(REPORT).splitlines()
    assert lines[0] == "**blessed**"
    assert "- other programs were busy" in lines
    assert "|  | candidate | v1.2.0, in production |" in lines
    assert "| accuracy on test | 83.12 % | 83.5 % |" in lines
    assert "| one text, mean | 1.234 ms | 4 ms |" in lines
    assert "| weights | 17.25 MB | 68 MB |" in lines


def test_every_check_says_what_was_found() -> None:
    lines = as_markdown(REPORT).splitlines()
    assert "| drop | it loses 0.38 points | yes |" in lines
    assert "| slowdown | nothing serves yet | waived |" in lines
    assert "| slices | class bad loses 7.1 points | **no** |" in lines


def test_the_first_version_stands_alone() -> None:
    lines = as_markdown({**REPORT, "champion": None}).splitlines()
    assert "|  | candidate |" in lines
    assert "| accuracy on test | 83.12 % |" in lines


def test_a_name_out_of_the_data_makes_no_link_and_no_column() -> None:
    checks = [{"name": "class [x](http://evil) | ![i](y)\n<b>", "ok": True}]
    row = as_markdown({"verdict": "blessed", "checks": checks}).splitlines()[-1]
    assert row == r"| class \[x\]\(http://evil\) \| \!\[i\]\(y\) \<b\> |  | yes |"


def test_another_metric_goes_by_its_name_and_a_correlation_is_no_share() -> None:
    entities = as_markdown({**REPORT, "metric": "f1"}).splitlines()
    ratings = as_markdown({**REPORT, "metric": "spearman"}).splitlines()
    assert "| f1 on test | 83.12 % | 83.5 % |" in entities
    assert "| spearman on test | 0.831 | 0.835 |" in ratings
