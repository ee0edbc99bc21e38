"""What the cells of a row say: its texts, its label as its task reads it, and whose row it is."""

from __future__ import annotations

from typing import Any, NamedTuple

from tasks.data.reading import Reading
from tasks.data.rules import check_texts
from tasks.stage.errors import BadInput
from tasks.task import KINDS, Task
from tasks.task.labels import Refused


class Said(NamedTuple):
    """A row's texts, its label ("" without one), and its task's name (None: of no one task)."""

    texts: tuple[str, ...]
    label: str
    task: str | None


class Labelling:
    """Reads the rows of one file; `stripped` counts labels that had white space around them."""

    def __init__(self, name: str, reading: Reading) -> None:
        self.stripped = 0
        self._name = name
        self._reading = reading
        self._kinds: dict[str, type[Task]] = {
            task: KINDS[kind] for task, kind in reading.tasks.items()
        }
        self._only = next(iter(reading.tasks)) if len(reading.tasks) == 1 else None
        self._known: dict[tuple[str, str], str] = {}

    def read(self, texts: tuple[Any, ...], label: Any, task: Any, row: int) -> Said | Refused:
        """What a row says, or why it is no example.

        Raises BadInput for a task that nobody declared, naming file and row.
        """
        reading = self._reading
        if reading.label is None:
            return self._checked(texts) or Said(texts, "", self._only)
        name = self._only or self._task(task, row)
        kind = self._kinds[name]
        if not (kind.per_token and isinstance(texts[0], list)):  # tokens are no text yet
            refused = self._checked(texts)
            if refused is not None:
                return refused
        found = self._labelled(kind, name, texts, label)
        if isinstance(found, Refused):
            return found
        if found[0] is not texts:
            refused = self._checked(found[0])
            if refused is not None:
                return refused
        return Said(*found, name)

    def moved(self, said: Said, places: list[tuple[int, int]]) -> str | Refused:
        """The label of a row whose text was changed, the label's stretches lying elsewhere now."""
        return self._kinds[said.task].moved(said.label, places) if said.task else said.label

    def stretches(self, said: Said) -> list[tuple[int, int]]:
        """The stretches of the text that a row's label names."""
        return self._kinds[said.task].stretches(said.label) if said.task and said.label else []

    @property
    def labels_are_classes(self) -> bool:
        """Whether a label is the very class that it speaks of, in every row."""
        return self._only is not None and self._kinds[self._only].classes

    def names(self, task: str | None, label: str) -> list[str]:
        """The classes that a label speaks of, with their task's name where there are several."""
        assert task is not None, "a row with a label is of a task"
        found = self._kinds[task].names(label)
        return found if self._only else [f"{task}/{name}" for name in found]

    def _checked(self, texts: tuple[Any, ...]) -> Refused | None:
        return check_texts(texts, self._reading.text, self._reading.max_characters)

    def _task(self, value: Any, row: int) -> str:
        name = str(value).strip()
        if name not in self._kinds:
            raise BadInput(
                f"{self._name}, row {row}, column {self._reading.task!r}: {value!r} is none of "
                f"ingest.task: {', '.join(self._kinds)}"
            )
        return name

    def _labelled(
        self, kind: type[Task], task: str, texts: tuple[Any, ...], value: Any
    ) -> tuple[tuple[Any, ...], str] | Refused:
        """Texts and label; of exclusive classes the same object for all rows of a class."""
        if not kind.classes or not isinstance(value, str):
            return kind.read(texts, value)
        if (known := self._known.get((task, value))) is not None:
            return texts, known
        found = kind.read(texts, value)
        if isinstance(found, Refused):
            return found
        label = found[1]
        self.stripped += value != label
        return texts, self._known.setdefault((task, label), label)
