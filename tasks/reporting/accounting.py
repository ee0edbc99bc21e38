"""Where every row went: a ledger of the night's data that must add up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tasks.reporting.evidence import Evidence, mapping, records
from tasks.reporting.wording import short, whole_number

KEPT = {
    "train": ("a", "to train on"),
    "validation": ("b", "to choose by"),
    "test": ("c", "to report on, never to choose by"),
    "unlabelled": ("good", "texts without labels, kept in data/unlabelled.parquet"),
}
"""What a row became, with its tone and what that means."""
DROPPED = {
    "quarantined": ("bad", "broke a rule; set aside in data/quarantine.parquet"),
    "duplicates": ("muted", "the same text with the same label, earlier in the same file"),
    "repeated": ("muted", "the same text with the same label, in an earlier file"),
    "leaks": ("muted", "a text that the given splits had on two sides"),
    "contradictions": ("muted", "the same text with different labels: none of them is kept"),
}
"""Why a row became nothing."""
FATES = KEPT | DROPPED
MOST_RULES = 6
"""Rules of quarantine that have a line of their own."""
UNDATED = "no date"


@dataclass(frozen=True)
class Part:
    """Rows that went one way."""

    name: str
    rows: int
    tone: str
    why: str


@dataclass(frozen=True)
class Ledger:
    """What was read, and its parts: those kept first."""

    read: int
    parts: list[Part]

    @property
    def missing(self) -> int:
        """Rows read that no part has; 0 when it adds up, below 0 when a row is counted twice."""
        return self.read - sum(part.rows for part in self.parts)


@dataclass(frozen=True)
class Delivery:
    """One night's files, or one file of data without dates; `counts` has every fate."""

    name: str
    files: int
    rows: int
    counts: Mapping[str, int]

    @property
    def kept(self) -> int:
        """Rows that had not been there before, and are examples now or texts without labels."""
        return sum(self.counts[fate] for fate in KEPT)

    @property
    def known(self) -> int:
        """Rows that say what an earlier row said."""
        return self.counts["duplicates"] + self.counts["repeated"]

    @property
    def missing(self) -> int:
        """Rows read that no fate has."""
        return self.rows - sum(self.counts.values())


def ledger(evidence: Evidence) -> Ledger | None:
    """The whole intake, or what little the report of `ingest` says of it; None without either."""
    totals = mapping(evidence.intake.get("totals"))
    if whole_number(totals.get("rows")) is None:
        totals = _totals_of_report(evidence)
    read = whole_number(totals.get("rows"))
    if read is None:
        return None
    parts: list[Part] = []
    for fate, (tone, why) in FATES.items():
        rows = whole_number(totals.get(fate)) or 0
        broken = _by_rule(rules(evidence), rows) if fate == "quarantined" else {}
        if broken:
            parts += [Part(f"{rule} (quarantined)", n, tone, why) for rule, n in broken.items()]
        else:
            parts.append(Part(fate, rows, tone, why))
    return Ledger(read, parts)


def deliveries(evidence: Evidence) -> list[Delivery]:
    """What came, by date where files have one, oldest first; else by file, in file order."""
    files = [file for file in records(evidence.intake.get("files")) if _is_counted(file)]
    dated = any(isinstance(file.get("date"), str) for file in files)
    groups: dict[str, list[dict[str, Any]]] = {}
    for file in files:
        groups.setdefault(_group(file, dated), []).append(file)
    found = [_delivery(name, group) for name, group in groups.items()]
    return sorted(found, key=lambda one: (one.name == UNDATED, one.name)) if dated else found


def masked(evidence: Evidence) -> dict[str, int]:
    """How often each kind of personal data was masked."""
    return _counted(evidence.intake.get("masked") or evidence.stages["ingest"].report.get("masked"))


def rules(evidence: Evidence) -> dict[str, int]:
    """How many rows broke each rule of quarantine."""
    report = evidence.stages["ingest"].report
    return _counted(evidence.intake.get("rules") or report.get("rules_broken"))


def _group(file: dict[str, Any], dated: bool) -> str:
    return short(file.get("date") or UNDATED) if dated else short(file.get("name"), 200)


def _delivery(name: str, files: list[dict[str, Any]]) -> Delivery:
    counts = {fate: _sum(file.get(fate) for file in files) for fate in FATES}
    return Delivery(name, len(files), _sum(file.get("rows") for file in files), counts)


def _totals_of_report(evidence: Evidence) -> dict[str, Any]:
    """A stage that stopped has no data/intake.json, but may have counted in its report."""
    metrics = evidence.stages["ingest"].metrics
    read = whole_number(metrics.get("rows_read"))
    if read is None or whole_number(metrics.get("train")) is None:
        return {}
    rows = read + (whole_number(metrics.get("unlabelled_read")) or 0)
    return {**metrics, "rows": rows}


def _by_rule(broken: Mapping[str, int], rows: int) -> dict[str, int]:
    """Rows of each rule, the rarest together; nothing when they are not all of `rows`."""
    if sum(broken.values()) != rows:
        return {}
    order = sorted(broken.items(), key=lambda rule: (-rule[1], rule[0]))
    shown, rest = order[:MOST_RULES], order[MOST_RULES:]
    more = {f"{len(rest)} other rules": sum(number for _, number in rest)} if rest else {}
    return dict(shown) | more


def _is_counted(file: dict[str, Any]) -> bool:
    return whole_number(file.get("rows")) is not None


def _counted(value: Any) -> dict[str, int]:
    found = ((short(name), whole_number(number)) for name, number in mapping(value).items())
    return {name: number for name, number in found if number}


def _sum(values: Iterable[Any]) -> int:
    return sum(whole_number(value) or 0 for value in values)
