"""Labels as numbers, and the classes that they speak of, without a text for each row."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from tasks.task import KINDS

NO_LABEL = -1
SAYS_NOTHING = -2
"""The code of a label of which no class holds, or that has no entity."""


def class_names(label: str, task: str, tasks: Mapping[str, str]) -> list[str]:
    """The classes that a label speaks of, each once; of several tasks as `task/class`."""
    names = dict.fromkeys(KINDS[tasks[task]].names(label))
    return [shown_label(name, task, tasks) for name in names]


def shown_label(label: str, task: str, tasks: Mapping[str, str]) -> str:
    """A label or class as people are told it: of several tasks with the task's name before."""
    return label if len(tasks) == 1 else f"{task}/{label}"


class LabelCodes:
    """Two labels of a task are equal when their codes (int32) are.

    Exclusive classes are numbered in the order in which they come (`names`). Other labels, of
    which there may be as many as rows, are hashed to 31 bits: codes are only compared between rows
    of the same text, and two such labels share one by chance once in 2·10^9. `rows` has how many
    rows speak of each class.
    """

    def __init__(self, tasks: Mapping[str, str]) -> None:
        self.names: dict[str, int] = {}
        self.rows: Counter[str] = Counter()
        self._tasks = tasks

    def of(self, labels: pa.ChunkedArray, task: str) -> np.ndarray:
        """The codes of these labels of one task; NO_LABEL for null."""
        encoded = labels.combine_chunks().dictionary_encode()
        places = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        values = encoded.dictionary.to_pylist()
        times = np.bincount(places[places >= 0], minlength=len(values)).tolist()
        known = [self._code(label, task, n) for label, n in zip(values, times, strict=True)]
        codes: np.ndarray = np.array([*known, NO_LABEL], np.int32)[places]
        return codes

    def _code(self, label: str, task: str, times: int) -> int:
        kind = KINDS[self._tasks[task]]
        said = class_names(label, task, self._tasks)
        for name in said:
            self.rows[name] += times
        if kind.classes:
            return self.names.setdefault(said[0], len(self.names))
        if kind.silent and not said:
            return SAYS_NOTHING
        digest = hashlib.blake2b(label.encode(), digest_size=4).digest()
        return int.from_bytes(digest, "big") >> 1
