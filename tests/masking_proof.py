"""Personal data that Faker made against what only looks like it: `python -m tests.masking_proof`.

A text with personal data counts as found when the masked text is exactly what it should be: half a
number masked is a miss and a false alarm. A look-alike is an alarm for every mark in it.

    --texts 1000     of each sort
    --seed 2         the masking was written with seed 1 before one's eyes
    --show           what went wrong, text by text

Exit code 1 when a kind's recall is below 0.98 or its precision below 0.95, in any locale.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from tasks.masking import KINDS, Masker
from tests.masking.made import LOCALES, Made, look_alikes, personal

LEAST_RECALL, LEAST_PRECISION = 0.98, 0.95
MARK = re.compile(r"\[(EMAIL|PHONE|CARD|ID|IP)\]")


@dataclass(frozen=True)
class Score:
    """How a kind fares: `texts` with it in a locale, `found` as they should be.

    `right` and `alarms` are the marks of its whole language: a look-alike belongs to no locale.
    """

    locale: str
    kind: str
    texts: int
    found: int
    right: int
    alarms: int

    @property
    def recall(self) -> float:
        return self.found / self.texts

    @property
    def precision(self) -> float:
        return self.right / max(1, self.right + self.alarms)

    @property
    def holds(self) -> bool:
        return self.recall >= LEAST_RECALL and self.precision >= LEAST_PRECISION


def scores(texts: int, seed: int) -> tuple[list[Score], list[tuple[Made, str]]]:
    """Every kind in every locale; and what went wrong, with what it became."""
    masker = Masker(KINDS)
    answers = [(each, masker(each.text)[0]) for each in made(texts, seed)]
    wrong = [(each, masked) for each, masked in answers if masked != each.expected]
    number = Counter((each.locale, each.kind) for each, _ in answers if each.locale in LOCALES)
    missed = Counter((each.locale, each.kind) for each, _ in wrong)
    alarms = Counter(
        (each.locale[:2], mark.lower()) for each, masked in wrong for mark in MARK.findall(masked)
    )
    right = Counter[tuple[str, str]]()
    for (locale, kind), of_all in number.items():
        right[locale[:2], kind] += of_all - missed[locale, kind]
    return [
        Score(
            locale, kind, of_all, of_all - missed[locale, kind],
            right[locale[:2], kind], alarms[locale[:2], kind],
        )
        for (locale, kind), of_all in sorted(number.items())
    ], wrong  # fmt: skip


def made(texts: int, seed: int) -> list[Made]:
    """As many texts with personal data as without."""
    return [*personal(texts, seed), *look_alikes(texts, seed)]


def shown(found: Sequence[Score]) -> Table:
    table = Table("locale", "kind", "texts", "found", "alarms (language)", "recall", "precision")
    for each in found:
        numbers = (str(each.texts), str(each.found), str(each.alarms))
        shares = (f"{each.recall:.3f}", f"{each.precision:.3f}")
        style = None if each.holds else "red"
        table.add_row(each.locale, each.kind, *numbers, *shares, style=style)
    return table


def main() -> int:
    """Print the table; 0 when all of it holds."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--texts", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=2)
    parser.add_argument("--show", action="store_true")
    arguments = parser.parse_args()
    found, wrong = scores(arguments.texts, arguments.seed)
    Console(width=100).print(shown(found))
    for each, masked in wrong if arguments.show else ():
        print(f"{each.locale} {each.kind}: {each.text!r} became {masked!r}")
    return 0 if all(each.holds for each in found) else 1


if __name__ == "__main__":
    sys.exit(main())
