"""Short English texts with ratings of their sentiment: Hutto & Gilbert 2014 ("VADER", ICWSM).

Each is rated from -4 to 4 by about twenty people. The dates are made up from the ids, so that the
data grow night by night.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import NamedTuple

from tasks.sources.package import Package, unpack
from tasks.sources.tables import night_of, write_nights

VADER = Package(
    "vaderSentiment",
    "3.3.2",
    "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9",
    megabytes=2.5,
    is_sdist=True,
)

DOMAINS = {
    "movies": "movieReviewSnippets",
    "tweets": "tweets",
    "amazon": "amazonReviewSnippets",
    "nyt": "nytEditorialSnippets",
}
"""Reviews of films and of devices, tweets, sentences of newspaper editorials: the files' names."""

_INSIDE = "vaderSentiment-3.3.2/additional_resources"
_RATED = "hutto_ICWSM_2014"


class Rated(NamedTuple):
    """One text, its number in its file and the mean of its ratings."""

    number: str
    rating: float
    text: str

    @property
    def label(self) -> str | None:
        """The rating's sign; None where the mean is exactly 0 and says neither."""
        if self.rating == 0:
            return None
        return "positive" if self.rating > 0 else "negative"


def make_reviews(archive: Path, folder: Path) -> None:
    """Movie reviews, label: the sign of the rating; the 37 without one are left out."""
    write_nights(
        folder,
        "reviews.csv",
        ["id", "text", "label", "rating"],
        (
            (_night(each), [_id(each), each.text, each.label, f"{each.rating:.4f}"])
            for each in _rated(archive, folder.parent, "movies")
            if each.label is not None
        ),
    )


def make_ratings(archive: Path, folder: Path) -> None:
    """The same movie reviews, label: the mean rating, a number from -4 to 4."""
    write_nights(
        folder,
        "ratings.csv",
        ["id", "text", "label"],
        (
            (_night(each), [_id(each), each.text, f"{each.rating:.4f}"])
            for each in _rated(archive, folder.parent, "movies")
        ),
    )


def make_domains(archive: Path, folder: Path) -> None:
    """All four domains, the column `task` says which; label: the sign of the rating."""
    rows = ((domain, each) for domain in DOMAINS for each in _rated(archive, folder.parent, domain))
    write_nights(
        folder,
        "domains.csv",
        ["id", "text", "label", "task"],
        (
            (
                night_of(f"{domain} {each.number}"),
                [f"{domain}-{each.number}", each.text, each.label, domain],
            )
            for domain, each in rows
            if each.label is not None
        ),
    )


def make_comments(archive: Path, folder: Path) -> None:
    """Texts of the three domains that are no films, without labels."""
    write_nights(
        folder,
        "comments.csv",
        ["id", "text"],
        (
            (night_of(f"{domain} {each.number}"), [f"{domain}-{each.number}", each.text])
            for domain in DOMAINS
            if domain != "movies"
            for each in _rated(archive, folder.parent, domain)
        ),
    )


def rated(line: str) -> Rated:
    """One line: number, mean rating and text with tabs between."""
    number, rating, text = line.split("\t", 2)
    return Rated(number, float(rating), text.strip())


def _rated(archive: Path, scratch: Path, domain: str) -> Iterator[Rated]:
    """The texts of a domain, in the order of its file, unpacked into `scratch`."""
    packed, name = f"{_RATED}.tar.gz", f"{DOMAINS[domain]}_GroundTruth.txt"
    if not (scratch / packed).exists():
        unpack(archive, _INSIDE, [packed], scratch)
    unpack(scratch / packed, _RATED, [name], scratch)
    return map(rated, (scratch / name).read_text(encoding="utf-8").splitlines())


def _night(review: Rated) -> date:
    return night_of(f"reviews {review.number}")


def _id(review: Rated) -> str:
    return f"review-{int(review.number):05d}"
