"""What is installed, held against a pin."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def mismatch(name: str, wanted: str) -> str | None:
    """What is wrong with a package that should have a version; None when nothing is.

    A build's own suffix (`+cpu`) is no difference.
    """
    try:
        found = version(name)
    except PackageNotFoundError:
        return f"{name} is missing (pinned: {wanted})"
    same = wanted in (found, found.partition("+")[0])
    return None if same else f"{name} is {found} (pinned: {wanted})"
