"""What the checks do to clean nights and to spoilt ones: `python -m tests.clean_nights`.

Nights are drawn from sample:reviews, and go through `ingest` and `validate` as they are. The rows
of a night are none that production learned from: they come from the sides of the split that it
kept for validation and test. One half of those stands for the test split of its own night, the
other for what comes in later; which is which is drawn anew for every night.

    --nights 200     clean nights: at most 1 % of them may stop
    --first 1        number of the first of them, to live through them in parts
    --only-clean     leaves out what follows below
    --release DIR    the version in production, as `benchmark` left it; without one, what only it
                     can see is left out
    --salt WORD      that its data were split with (`ingest.salt`), if another than the usual

Then the same with faults put in, each of which the check named beside it must catch; and how many
wrong labels production sees in nights of several sizes. Exit code 1 when anything is otherwise.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import io
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from tasks.data.dataset import SPLITS, Text, split_path
from tasks.data.normalise import position, side, text_digest
from tasks.drift import profile as profiles
from tasks.drift.agreement import Told, agreement_table, ask
from tasks.drift.embeddings import Vectors, embed
from tasks.drift.portrait import Rows, portrait_of
from tasks.drift.profile import embedded, profile_of
from tasks.ingest import ingest
from tasks.measuring.confidence import right_and_wrong
from tasks.params.ingest import Ingest
from tasks.params.validate import Validate
from tasks.snapshot import pin_data
from tasks.sources.pretrained import pin_model
from tasks.sources.samples import sample_folder
from tasks.stage.errors import StageError
from tasks.stage.outputs import write_json
from tasks.validate import validate
from tests.drift.data import record
from tests.faults import FAULTS, FLIPPED, USUAL_ROWS, Drawn, Row, flip

HISTORY, NIGHT = "2026-01-29", "2026-01-30"
SIZES = (150, 300, 600)
TRIES = 200
MOST_STOPPED = 0.01


class Sample:
    """sample:reviews, and what production says about all of it, asked once."""

    def __init__(self, release: str | None, salt: str) -> None:
        files = sorted(sample_folder("reviews").rglob("*.csv"))
        rows = [row for file in files for row in csv.DictReader(io.StringIO(file.read_text()))]
        distinct = {text_digest([row["text"]]): row for row in rows}
        held_out = {key for key in distinct if side(position(key, salt), 0.1, 0.1) != "train"}
        self.release = release
        self.learned = [row for key, row in distinct.items() if key not in held_out]
        self.held_out = [row for key, row in distinct.items() if key in held_out]
        self.told: dict[str, tuple[str, float]] = {}
        if release:
            found = ask(release, [row["text"] for row in self.held_out])
            self.classes = found.classes
            pairs = zip(found.labels, found.scores, strict=True)
            self.told = dict(zip((row["text"] for row in self.held_out), pairs, strict=True))

    def draw(self, rows: int, random: np.random.Generator) -> Drawn:
        """A night of `rows` that production has not seen, and its own test split."""
        order = random.permutation(len(self.held_out))
        own = [self.held_out[at] for at in order[: len(order) // 2]]
        rest = [self.held_out[at] for at in order[len(order) // 2 :]]
        return Drawn([*self.learned, *own, *rest[rows:]], own, rest[:rows])

    def answers(self, rows: Sequence[Row]) -> dict[str, list[int]] | None:
        """What `benchmark` would have written about them as the test split."""
        if not self.release:
            return None
        return right_and_wrong(
            [row["label"] for row in rows], [self.told[row["text"]] for row in rows]
        )

    def answer(self, _release: str, texts: Sequence[Text]) -> Told:
        """What production said when it was asked."""
        labels, scores = zip(*(self.told[str(text)] for text in texts), strict=True)
        return Told(self.classes, list(labels), list(scores))


def main() -> int:
    """Everything; 1 when a fault was missed, or too many clean nights were stopped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nights", type=int, default=200)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--only-clean", action="store_true")
    parser.add_argument("--release", type=Path)
    parser.add_argument("--salt", default=Ingest().salt)
    wanted = parser.parse_args()
    release = str(wanted.release.resolve()) if wanted.release else None
    vars(profiles)["embed"] = remembered(embed)
    sample = Sample(release, wanted.salt)
    console = Console(highlight=False)
    caught = wanted.only_clean or show_faults(console, sample)
    if release and not wanted.only_clean:
        show_power(console, sample)
    stopped = show_clean_nights(console, sample, wanted.first, wanted.nights)
    return 0 if caught and stopped <= MOST_STOPPED * wanted.nights else 1


def show_faults(console: Console, sample: Sample) -> bool:
    """Each fault in a night of its own, through the stages; whether all were caught as named."""
    table = Table("fault", "rows", "must be caught by", "caught by", box=None)
    right = True
    for fault in FAULTS:
        if fault.needs_release and not sample.release:
            continue
        random = np.random.default_rng(17)
        drawn = sample.draw(fault.rows, random)
        reasons = live_through(sample, drawn, fault.change(drawn, random))
        hit = any(fault.check in reason for reason in reasons)
        right &= hit
        by = "; ".join(reasons) or "nothing"
        table.add_row(fault.story, str(fault.rows), fault.check, by if hit else f"[red]{by}[/red]")
    console.print(table)
    return right


def show_power(console: Console, sample: Sample) -> None:
    """How often production's disagreement is certain, or suspected, by wrong labels and rows."""
    table = Table("rows", "labels flipped", "estimated", "certain", "suspected", box=None)
    for rows in SIZES:
        for share in (0.0, FLIPPED):
            random = np.random.default_rng(rows)
            found = [agreement(sample, rows, share, random) for _ in range(TRIES)]
            figures = [np.mean([row[name] for row in found]) for name in ("noise",)]
            rates = [np.mean([row[name] > 0 for row in found]) for name in ("wrong", "suspected")]
            table.add_row(
                str(rows), f"{share:.0%}", *(f"{each:.1%}" for each in (*figures, *rates))
            )
    console.print("", f"production's disagreement, {TRIES} nights each", table)


def agreement(
    sample: Sample, rows: int, share: float, random: np.random.Generator
) -> dict[str, Any]:
    """The record `new` of one night with a share of its labels flipped."""
    drawn = sample.draw(rows, random)
    night = flip(share)(drawn, random)
    texts: list[Text] = [row["text"] for row in night]
    labels = [row["label"] for row in night]
    latest = Rows([row["id"] for row in night], texts, labels, [""] * rows, [NIGHT] * rows)
    profile = {"newest": HISTORY, "answers": sample.answers(drawn.own_test)}
    found = agreement_table(latest, {"profile": profile, "release": sample.release}, sample.answer)
    return record(found, "new")


def show_clean_nights(console: Console, sample: Sample, first: int, nights: int) -> int:
    """How many clean nights were stopped, by the check that did."""
    stopped, checks, started = 0, Counter[str](), time.monotonic()
    for number in range(first, first + nights):
        drawn = sample.draw(USUAL_ROWS, np.random.default_rng(number))
        reasons = live_through(sample, drawn, drawn.night)
        stopped += bool(reasons)
        checks.update(reasons)
        done = number - first + 1
        print(f"\r{done}/{nights} clean nights, {stopped} stopped", end="", file=sys.stderr)
    seconds = time.monotonic() - started
    console.print(f"\n{stopped} of {nights} clean nights stopped ({seconds:.0f} s)")
    for reason, count in checks.most_common():
        console.print(f"  {count}: {reason}")
    return stopped


def live_through(sample: Sample, drawn: Drawn, night: list[Row]) -> list[str]:
    """A night through `ingest` and `validate`: the checks that stopped it, or none."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        write_json("models/base.json", pin_model("sample:minilm"))
        deliver(drawn.history, HISTORY)
        write_json("data/reference.json", reference(sample, drawn))
        deliver(night, NIGHT)
        try:
            take_in()
            with contextlib.redirect_stdout(io.StringIO()):
                validate(Validate(label_errors=0))  # which only ever warns, and takes seconds
        except StageError as error:
            return stopped_by(error)
    return []


def stopped_by(error: StageError) -> list[str]:
    """The names of the expectations that were not met; of another stop, what it said."""
    outcomes = error.findings.get("expectations")
    if outcomes is None:
        return [str(error).splitlines()[0]]
    failed = (each for each in outcomes if each["ok"] is False and each["severity"] == "stop")
    return list(dict.fromkeys(each["name"] for each in failed))


def reference(sample: Sample, drawn: Drawn) -> dict[str, Any]:
    """What `snapshot` would pin of a version that was made from the history."""
    take_in()
    portrait = portrait_of([split_path(split) for split in SPLITS], None)
    profile = profile_of(portrait, embedded(portrait, Validate().sample))
    answers = sample.answers(drawn.own_test)
    return {
        "labels": sorted({row["label"] for row in drawn.history}),
        "version": "v1.0.0",
        "sha256": None,
        "profile": profile if answers is None else {**profile, "answers": answers},
        "release": sample.release,
    }


def deliver(rows: Sequence[Row], date: str) -> None:
    """A partition comes in."""
    path = Path("source", f"date={date}", "reviews.csv")
    path.parent.mkdir(parents=True)
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def take_in() -> None:
    """`snapshot`'s pin of the data, and `ingest`."""
    pinned = pin_data("all", "source", None)
    write_json("data/snapshot.json", {"sources": [pinned.to_json()]})
    ingest(Ingest(source="source"))


def remembered(function: Callable[..., Vectors]) -> Callable[..., Vectors]:
    """The same function, a text's vector computed once in all nights: a matter of time only."""
    known: dict[Text, np.ndarray] = {}

    def remembering(texts: Sequence[Text], *more: Any) -> Vectors:
        new = [text for text in dict.fromkeys(texts) if text not in known]
        known.update(zip(new, function(new, *more), strict=True))
        return np.stack([known[text] for text in texts])

    return remembering


if __name__ == "__main__":
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    sys.exit(main())
