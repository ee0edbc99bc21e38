"""The process that DVC runs in; started by its path, so that the run's code is not looked at.

It watches who started it and leaves when that is gone; the stage below watches it in turn.
"""

from __future__ import annotations

import sys

import psutil

from tasks.stage import parent


def main() -> int:
    """Run DVC's own command line; its exit code."""
    from dvc.cli import main as dvc

    parent.watch(psutil.Process().parent())
    return int(dvc(sys.argv[1:]))


if __name__ == "__main__":
    sys.exit(main())
