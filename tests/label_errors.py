"""How many of 5 % swapped labels are found on sample:reviews: `python -m tests.label_errors`.

Prints the recall by the share of the training split that a person would have to look at. Exits
with 1 when the tenth ranked highest holds less than half.
"""

from __future__ import annotations

import csv
import sys
import time

import numpy as np

from tasks.data.normalise import position, text_digest
from tasks.params.ingest import Ingest
from tasks.quality.label_errors import ranked, suspect
from tasks.quality.out_of_fold import Array, probabilities, views
from tasks.sources.samples import sample_folder

SWAPPED = 0.05
SEEDS = (0, 1, 2)
LOOKED_AT = (0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5)
NEEDED = 0.5, 0.1
"""Recall, and the share looked at that must reach it."""


def training_split() -> tuple[list[str], Array]:
    """Texts and labels (0 or 1) of the sample's training split."""
    settings = Ingest.model_validate({"source": "sample:reviews", "text": "text", "label": "label"})
    held_out, kept = settings.validation + settings.test, {}
    for path in sorted(sample_folder("reviews").rglob("*.csv")):
        with open(path, encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                digest = text_digest([row["text"]])
                if position(digest, settings.salt) >= held_out:
                    kept[digest] = row["text"], row["label"] == "positive"
    texts, labels = zip(*kept.values(), strict=True)
    return list(texts), np.array(labels, int)


def swapped(labels: Array, seed: int) -> tuple[Array, Array]:
    """The labels with some of them swapped, and which these are (bool)."""
    wrong = np.zeros(len(labels), bool)
    count = round(SWAPPED * len(labels))
    wrong[np.random.default_rng(seed).choice(len(labels), count, replace=False)] = True
    return np.where(wrong, 1 - labels, labels), wrong


def recalls(order: Array, wrong: Array) -> Array:
    """The share of the wrong labels among the first rows of `order`, by LOOKED_AT."""
    found = np.cumsum(wrong[order]) / wrong.sum()
    return np.array([found[int(share * len(order)) - 1] for share in LOOKED_AT])


def main() -> int:
    """Print the curve; 1 when it falls short."""
    texts, labels = training_split()
    print(f"{len(texts):,} texts, {SWAPPED:.0%} of the labels swapped, {len(SEEDS)} seeds")
    began, found = time.process_time(), []
    looks = views(texts, 2)
    for seed in SEEDS:
        given, wrong = swapped(labels, seed)
        told = probabilities(looks, given)
        found.append(recalls(ranked(told, given), wrong))
        listed = suspect(told, given)
        caught, share = wrong[listed].sum() / wrong.sum(), len(listed) / len(given)
        print(f"seed {seed}: lists {share:.1%} of the rows, {caught:.1%} of the swapped labels")
    print(f"{time.process_time() - began:.1f} s of one core for all")
    print("looked at" + "".join(f"{share:8.0%}" for share in LOOKED_AT))
    mean = np.mean(found, axis=0)
    for word, row in (("mean", mean), ("least", np.min(found, axis=0))):
        print(f"{word:9}" + "".join(f"{recall:8.1%}" for recall in row))
    recall, share = NEEDED
    return 0 if mean[LOOKED_AT.index(share)] >= recall else 1


if __name__ == "__main__":
    sys.exit(main())
