"""Tables held against entries by Great Expectations itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tasks.expectations.audit import Judged, audit
from tasks.expectations.entries import Entry
from tasks.expectations.suite import known_expectations
from tasks.expectations.tables import Table
from tasks.expectations.wording import demand, told, verdict
from tasks.stage.errors import BadInput

FRAME = pd.DataFrame(
    {
        "id": ["all labels", "all lengths", "new labels", "new lengths"],
        "start": ["labels of all rows", "lengths of all rows", "labels of 90 new rows", "30 rows"],
        "slice": ["all", "all", "new", "new"],
        "measure": ["labels", "lengths", "labels", "lengths"],
        "drift": [0.02, 0.3, 0.7, None],
        "twice": [0.04, 0.6, 1.4, None],
        "day": ["2026-01-01"] * 4,
        "json": ['{"rows": 3}'] * 4,
    }
)
DRIFT = Table("drift", FRAME)
SMALL: dict[str, Any] = {"expect": "column_values_to_be_between", "column": "drift", "at_most": 0.1}


def judged(table: Table = DRIFT, **content: Any) -> Judged:
    entry = Entry.model_validate({"name": "steady", "table": table.name, **content})
    (one,) = audit([table], [entry], ["a", "b"])
    json.dumps(one.outcome())  # plain enough for a report
    return one


def test_what_is_not_met_is_counted_and_shown() -> None:
    one = judged(**SMALL)
    assert one.ok is False
    assert (told(one), demand(one), verdict(one)) == ("2 measures", "at most 0.1", "not met")
    assert one.examples == [
        {"id": "all lengths", "value": 0.3, "start": "lengths of all rows"},
        {"id": "new labels", "value": 0.7, "start": "labels of 90 new rows"},
    ]


def test_an_entry_is_about_the_records_that_it_says() -> None:
    assert judged(**SMALL, where={"measure": "labels", "slice": "all"}).ok
    one = judged(**SMALL, where={"measure": ["labels"], "drift": {"at_least": 0.5}})
    assert [row["id"] for row in one.examples] == ["new labels"]
    assert demand(one) == "at most 0.1 where measure is labels and drift is at least 0.5"


@pytest.mark.parametrize(
    ("where", "why"),
    [
        ({"slice": "emails"}, "no record where slice is emails"),
        ({"slice": "new", "measure": "lengths"}, "no figure where slice is new and measure is "),
    ],
)
def test_without_a_figure_nothing_is_judged(where: dict[str, Any], why: str) -> None:
    one = judged(**SMALL, where=where)
    assert one.ok is None
    assert why in told(one)
    assert not one.stops


def test_a_table_that_could_not_be_made_is_not_judged() -> None:
    one = judged(
        Table("drift", pd.DataFrame(), notes=("no version is in production yet",)), **SMALL
    )
    assert (one.ok, told(one)) == (None, "not judged: no version is in production yet")


def test_why_there_is_no_record_is_said_where_it_is_known() -> None:
    notes = ("slice new: 12 rows, fewer than 50", "measure embeddings: no model is pinned")
    table = Table("drift", FRAME, notes=notes)
    one = judged(table, **SMALL, where={"measure": "embeddings"})
    assert one.why == (
        "no record where measure is embeddings: measure embeddings: no model is pinned"
    )


def test_a_list_of_findings_that_is_empty_says_that_there_are_none() -> None:
    empty = Table("giveaways", pd.DataFrame({"id": [], "start": [], "purity": []}))
    assert judged(empty, expect=SMALL["expect"], column="purity", at_most=0.9).ok


def test_a_warning_does_not_stop() -> None:
    one = judged(**SMALL, severity="warn")
    assert (verdict(one), one.stops) == ("warned", False)


def test_what_cannot_be_computed_is_not_met_and_says_why() -> None:
    one = judged(expect="column_mean_to_be_between", column="slice", at_most=1)
    assert one.stops
    assert told(one).startswith("could not be judged: ")


def test_a_column_that_the_table_does_not_have() -> None:
    with pytest.raises(BadInput, match="'steady': table drift has no column 'effect'; it has id,"):
        judged(expect="column_values_to_not_be_null", column="effect")


LABEL, DAY, JSON = {"column": "measure"}, {"column": "day"}, {"column": "json"}
BOTH = {"with": {"column_list": ["drift", "twice"]}}
PAIR = {"column_A": "twice", "column_B": "drift"}
CLASSES = {**LABEL, "values": ["labels", "lengths"]}
MET: dict[str, dict[str, Any]] = {
    "column_distinct_values_to_be_in_set": CLASSES,
    "column_distinct_values_to_contain_set": CLASSES,
    "column_distinct_values_to_equal_set": CLASSES,
    "column_kl_divergence_to_be_less_than": {
        **LABEL,
        "with": {
            "partition_object": {"values": ["labels", "lengths"], "weights": [0.5, 0.5]},
            "threshold": 0.1,
        },
    },
    "column_most_common_value_to_be_in_set": {**CLASSES, "with": {"ties_okay": True}},
    "column_pair_values_a_to_be_greater_than_b": {"with": PAIR},
    "column_pair_values_to_be_equal": {"with": {"column_A": "drift", "column_B": "drift"}},
    "column_pair_values_to_be_in_set": {
        "with": {"column_A": "slice", "column_B": "measure"}
        | {"value_pairs_set": [[a, b] for a in ("all", "new") for b in ("labels", "lengths")]}
    },
    "column_quantile_values_to_be_between": {
        "column": "drift",
        "with": {"quantile_ranges": {"quantiles": [0.5], "value_ranges": [[0.2, 0.4]]}},
    },
    "column_to_exist": LABEL,
    "column_type_to_be": {"column": "drift", "with": {"type_": "float64"}},
    "column_value_lengths_to_be_between": {**LABEL, "at_least": 6, "at_most": 7},
    "column_value_lengths_to_equal": {**DAY, "with": {"value": 10}},
    "column_value_z_scores_to_be_less_than": {
        "column": "drift",
        "with": {"threshold": 3, "double_sided": True},
    },
    "column_values_to_be_dateutil_parseable": DAY,
    "column_values_to_be_decreasing": {"column": "drift", "with": {"mostly": 0.1}},
    "column_values_to_be_in_set": CLASSES,
    "column_values_to_be_in_type_list": {"column": "drift", "with": {"type_list": ["float64"]}},
    "column_values_to_be_increasing": {"column": "drift"},
    "column_values_to_be_json_parseable": JSON,
    "column_values_to_be_null": {"column": "drift", "with": {"mostly": 0.2}},
    "column_values_to_be_of_type": {"column": "drift", "with": {"type_": "float64"}},
    "column_values_to_be_unique": {"column": "id"},
    "column_values_to_match_json_schema": {**JSON, "with": {"json_schema": {"type": "object"}}},
    "column_values_to_match_regex": {**LABEL, "matches": "^l"},
    "column_values_to_match_regex_list": {**LABEL, "with": {"regex_list": ["^lab", "^len"]}},
    "column_values_to_match_strftime_format": {**DAY, "with": {"strftime_format": "%Y-%m-%d"}},
    "column_values_to_not_be_in_set": {**LABEL, "values": ["words"]},
    "column_values_to_not_be_null": LABEL,
    "column_values_to_not_be_outliers": {
        "column": "drift",
        "with": {"method": "iqr", "multiplier": 2},
    },
    "column_values_to_not_match_regex": {**LABEL, "matches": "^w"},
    "column_values_to_not_match_regex_list": {**LABEL, "with": {"regex_list": ["^w", "^x"]}},
    "compound_columns_to_be_unique": {"with": {"column_list": ["slice", "measure"]}},
    "multicolumn_sum_to_equal": {**BOTH, "with": {**BOTH["with"], "sum_total": 0.06}},
    "multicolumn_values_to_be_equal": {"with": {"column_list": ["day", "day"]}},
    "select_column_values_to_be_unique_within_record": BOTH,
    "table_column_count_to_be_between": {"at_least": 8, "at_most": 8},
    "table_column_count_to_equal": {"with": {"value": 8}},
    "table_columns_to_match_ordered_list": {"with": {"column_list": list(FRAME)}},
    "table_columns_to_match_set": {"with": {"column_set": list(FRAME)}},
    "table_row_count_to_be_between": {"at_least": 4},
    "table_row_count_to_equal": {"with": {"value": 4}},
}


def test_every_core_expectation_can_be_had() -> None:
    """Those not named have a column and a range of numbers."""
    ranged = {"column": "drift", "at_least": 0, "at_most": 10}
    names = sorted(known_expectations())
    whole = {"multicolumn_sum_to_equal": {"id": "all labels"}}
    entries = [
        Entry.model_validate(
            {"name": name, "table": "drift", "expect": name, "where": whole.get(name, {})}
            | MET.get(name, ranged)
        )
        for name in names
    ]
    found = {one.entry.name: told(one) for one in audit([DRIFT], entries, []) if not one.ok}
    assert found == {}
    assert len(names) > 50


def test_rows_are_shown_from_the_parquet_they_came_from(tmp_path: Path) -> None:
    import pyarrow as pa

    from tasks.data.dataset import SCHEMA, write_table
    from tasks.expectations.frames import row_frames

    for split in ("train", "validation", "test"):
        rows = [
            {"id": f"{split}-{n}", "text": f"{split} {n}", "label": "ab"[n % 2]} for n in range(9)
        ]
        rows[7]["label"] = "c"
        write_table(pa.Table.from_pylist(rows, SCHEMA), tmp_path / f"{split}.parquet")
    frame = row_frames(folder=tmp_path)["test"]
    one = judged(
        Table("rows", frame, "test", source=tmp_path / "test.parquet"),
        expect="column_values_to_be_in_set",
        column="label",
        values="known",
    )
    assert one.examples == [{"id": "test-7", "value": "c", "start": "test 7"}]
    assert demand(one) == "takes 'a', 'b'"
