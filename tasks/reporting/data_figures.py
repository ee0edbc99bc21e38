"""The pictures of the data: what each shows, and which of a night's numbers it is drawn from."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from tasks.reporting import waterfall
from tasks.reporting.accounting import Delivery, Ledger
from tasks.reporting.axes import Axis
from tasks.reporting.charts import Column, columns
from tasks.reporting.doubts import Drift, gauges_of
from tasks.reporting.figures import WIDE, twice
from tasks.reporting.gauges import gauges
from tasks.reporting.nightly import Night, nightly
from tasks.reporting.spread import Spread, spreads
from tasks.reporting.wording import count, percent

MOST_NIGHTS = 90
"""Columns that can still be told apart."""
MOST_AGREEMENTS = 60
MOST_GAUGES = 20
STACK = (
    ("kept", "a"),
    ("repeated", "muted"),
    ("quarantined", "bad"),
    ("other", "c"),
)
"""What a night's rows became, from the bottom of its column up."""


def where_rows_went(found: Ledger) -> Markup:
    """Every row read, as a sum whose parts have a line each; parts without rows are left out."""
    whole = waterfall.Part("read", found.read, count(found.read), "muted")
    label = f"Where {count(found.read)} rows went: " + ", ".join(
        f"{part.name} {count(part.rows)}" for part in found.parts if part.rows
    )

    def draw(width: float) -> Markup:
        parts = [
            waterfall.Part(part.name, part.rows, said(part.rows, width), part.tone, part.why)
            for part in found.parts
            if part.rows
        ]
        return waterfall.waterfall(whole, parts, label, width)

    def said(rows: int, width: float) -> str:
        share = rows / found.read if found.read else 0.0
        digits = 0 if share >= 0.1 else 1 if share >= 0.001 else 2
        return count(rows) if width < WIDE else f"{count(rows)} · {percent(share, digits)}"

    return twice(draw)


def nights(found: Sequence[Delivery]) -> Markup | None:
    """What each night's or file's rows became, the newest of very many."""
    if len(found) < 2:
        return None
    bars = [_column(each) for each in found[-MOST_NIGHTS:]]
    label = f"Rows of {len(bars)} deliveries, the last {found[-1].name}"
    return twice(lambda width: columns(bars, STACK, Axis("rows", count), label, width, 190))


def lengths(found: Sequence[Spread], unit: str) -> Markup | None:
    """The lengths of the splits' texts, and of production's."""
    if not found:
        return None
    return spreads(found, Axis(f"{unit} a text (logarithmic)", count), f"Lengths in {unit}")


def drift(found: Sequence[Drift]) -> Markup | None:
    """How far each slice is from production's data, by measure, with the limits."""
    if not found:
        return None
    rows = gauges_of(found, MOST_GAUGES)
    label = f"Drift of {len(rows)} slices and measures against their limits"
    x = Axis("effect: PSI; for embeddings AUC − 0.5")
    return twice(lambda width: gauges(rows, x, label, width))


def agreement(found: Sequence[Night]) -> Markup | None:
    """Production's agreement with each night's labels, the newest of very many nights."""
    if not found:
        return None
    shown = found[-MOST_AGREEMENTS:]
    label = f"Production's agreement with the labels of {len(shown)} nights"
    y = Axis("labels that production gives too, %", lambda value: f"{100 * value:.4g}")
    return twice(lambda width: nightly(shown, y, label, width))


def _column(each: Delivery) -> Column:
    counts = each.counts
    parts = [
        float(each.kept),
        float(each.known),
        float(counts["quarantined"]),
        float(counts["leaks"] + counts["contradictions"]),
    ]
    said = ", ".join(f"{name} {count(rows)}" for name, rows in counts.items() if rows)
    return Column(each.name, parts, f"{each.name}: {count(each.rows)} rows: {said}")
