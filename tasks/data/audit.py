"""Holding expectations against frames with Great Expectations, and its Data Docs."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from tasks.data.expectations import Expected, limit
from tasks.data.great import gx
from tasks.stage.outputs import remove, whole

SHOWN_ROWS = 3
_PLAIN = (str, int, float, bool, type(None))


@dataclass(frozen=True)
class Batch:
    """A frame with columns `id` and `start` (to show a row by), and what is expected of it."""

    split: str
    subject: str
    frame: pd.DataFrame
    expected: Sequence[Expected]

    @property
    def name(self) -> str:
        """For example `train rows`."""
        return f"{self.split} {self.subject}"


def audit(batches: Sequence[Batch], documents: Path) -> list[dict[str, Any]]:
    """One outcome an expectation, in the order given; the Data Docs go to the folder `documents`.

    An outcome has name, split, subject, column, ok, observed, limit, unexpected (how many rows)
    and examples (some of those rows: id, value, start of the text).
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.getLogger("great_expectations").setLevel(logging.ERROR)
        context = gx.get_context(mode="ephemeral")
        _quiet(context)
        outcomes = [outcome for batch in batches for outcome in _held(context, batch)]
        with whole(documents) as draft:
            draft.mkdir()
            _write_documents(context, draft)
    return outcomes


def _quiet(context: Any) -> None:
    context.variables.progress_bars = {"globally": False, "metric_calculations": False}
    for name, site in dict(context.list_data_docs_sites()).items():
        context.delete_data_docs_site(name)
        remove(Path(site["store_backend"]["base_directory"]))


def _held(context: Any, batch: Batch) -> list[dict[str, Any]]:
    suite = gx.ExpectationSuite(name=batch.name)
    for at, expected in enumerate(batch.expected):
        expected.rule.meta = {"at": at, "name": expected.name}
        suite.add_expectation(expected.rule)
    source = context.data_sources.add_pandas(batch.name)
    asset = source.add_dataframe_asset(batch.subject)
    definition = gx.ValidationDefinition(
        name=batch.name,
        data=asset.add_batch_definition_whole_dataframe(batch.split),
        suite=context.suites.add(suite),
    )
    checkpoint = gx.Checkpoint(
        name=batch.name,
        validation_definitions=[context.validation_definitions.add(definition)],
        result_format={
            "result_format": "SUMMARY",
            "unexpected_index_column_names": ["id", "start"],
            "partial_unexpected_count": SHOWN_ROWS,
        },
    )
    done = context.checkpoints.add(checkpoint).run(batch_parameters={"dataframe": batch.frame})
    results = [result for run in done.run_results.values() for result in run.results]
    results.sort(key=lambda result: result.expectation_config.meta["at"])
    return [_outcome(batch, *pair) for pair in zip(batch.expected, results, strict=True)]


def _outcome(batch: Batch, expected: Expected, result: Any) -> dict[str, Any]:
    found: Mapping[str, Any] = result.result or {}
    limits = limit(expected.rule)
    return {
        "name": expected.name,
        "split": batch.split,
        "subject": batch.subject,
        "column": limits.get("column"),
        "ok": bool(result.success),
        "observed": _observed(found, result),
        "limit": {key: value for key, value in limits.items() if key != "column"},
        "unexpected": int(found.get("unexpected_count", 0)),
        "examples": _examples(found, limits.get("column")),
    }


def _observed(found: Mapping[str, Any], result: Any) -> Any:
    if "observed_value" in found:
        return found["observed_value"]
    if "unexpected_count" in found:
        return {"rows": found["element_count"], "unexpected": found["unexpected_count"]}
    return {"error": str(result.exception_info)[:500]}


def _examples(found: Mapping[str, Any], column: str | None) -> list[dict[str, Any]]:
    rows = found.get("partial_unexpected_index_list") or []
    return [
        {"id": row["id"], "value": _plain(row.get(column)), "start": row["start"]}
        for row in rows[:SHOWN_ROWS]
    ]


def _plain(value: Any) -> Any:
    value = value.item() if hasattr(value, "item") else value
    return value if isinstance(value, _PLAIN) else str(value)


def _write_documents(context: Any, folder: Path) -> None:
    context.add_data_docs_site(
        site_name="nightshift",
        site_config={
            "class_name": "SiteBuilder",
            "show_how_to_buttons": False,
            "store_backend": {
                "class_name": "TupleFilesystemStoreBackend",
                "base_directory": str(folder.absolute()),
            },
            "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
        },
    )
    context.build_data_docs()
