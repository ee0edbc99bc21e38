"""When two texts are the same, and on which side of the split a text lies."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Sequence

VERSION = 1
"""Grows when `normalise` changes: every example may change sides then."""

DIGEST_BYTES = 16


def normalise(text: str) -> str:
    """NFKC, case folded, white space collapsed: what a reader would call the same text."""
    return " ".join(_words(text))


def text_digest(texts: Sequence[str]) -> bytes:
    """16 bytes that identify the normalised text, or the pair of them."""
    return measured(texts)[0]


def measured(texts: Sequence[str]) -> tuple[bytes, int]:
    """The digest of a text or a pair, and how many words between white space it has."""
    words = [_words(text) for text in texts]
    content = "\x1f".join(map(" ".join, words))
    digest = hashlib.blake2b(f"{VERSION}\x1f{content}".encode(), digest_size=DIGEST_BYTES).digest()
    return digest, sum(map(len, words))


def _words(text: str) -> list[str]:
    return unicodedata.normalize("NFKC", text).casefold().split()


def position(digest: bytes, salt: str) -> float:
    """Where in [0, 1) a text lies: only its content and the salt decide, no other row does."""
    salted = hashlib.blake2b(salt.encode() + b"\x1f" + digest, digest_size=8).digest()
    return (int.from_bytes(salted, "big") >> 11) / 2**53


def side(place: float, validation: float, test: float) -> str:
    """The split of a position: `test` lies lowest, `validation` above it, `train` the rest."""
    if place < test:
        return "test"
    return "validation" if place < test + validation else "train"
