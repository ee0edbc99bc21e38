"""What the labels of each split say: which classes, how often, and which numbers.

A row counts once for every class that its label names: one of a classification, any number of the
others, none of a rating. Several tasks' classes are `task/class`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from tasks.expectations.entries import Entry
from tasks.expectations.suite import by_class, flag
from tasks.stage.errors import BadInput
from tasks.task import KINDS, MultiTask, Task
from tasks.task.classification import Classification

CLASSIFICATION = Classification()
KIND = Classification.kind
"""What a dataset is of whose intake says nothing."""
CERTAIN = 1.82
"""The Kolmogorov-Smirnov quantile of as small a chance as three standard errors leave."""

Floats = npt.NDArray[np.float64]


def learnt(kinds: str | Mapping[str, str], frames: Mapping[str, pd.DataFrame]) -> Task:
    """The task that the rows of train teach.

    `kinds` is a kind, or the kind of each of several tasks, as `data/intake.json` has them. Raises
    BadInput for a row of another task, or a kind that there is not.
    """
    declared = [kinds] if isinstance(kinds, str) else [*kinds.values()]
    if strange := sorted({*declared} - {*KINDS}):
        raise BadInput(f"data/intake.json: task: got {strange[0]!r}; takes {', '.join(KINDS)}")
    train = frames["train"]
    if isinstance(kinds, str):
        return KINDS[kinds].of(train["label"].dropna())
    for split, frame in frames.items():
        if undeclared := sorted({*frame["task"].dropna().unique()} - {*kinds}):
            raise BadInput(
                f"{split}: task {undeclared[0]!r} is not declared; data/intake.json has "
                f"{', '.join(kinds)}: run ingest again"
            )
    return MultiTask.of_heads(
        {
            name: KINDS[kind].of(train["label"][train["task"] == name].dropna())
            for name, kind in kinds.items()
        }
    )


def class_frame(
    frames: Mapping[str, pd.DataFrame],
    split: str,
    labels: Sequence[str],
    task: Task = CLASSIFICATION,
) -> pd.DataFrame:
    """One row a class of `split`: id and label, rows, share, and shift of the share from train.

    Shares are of the rows of the class's task; of entities none is given, since any number of them
    may stand in a text. The shift is what chance does not explain: the difference of the shares
    less three standard errors, so that a small split is not blamed for being small. Classes are
    those of `labels` and whatever else the split has; a class without rows counts 0.
    """
    found, usual = (_counted(frames[name], task) for name in (split, "train"))
    names = sorted({*labels, *found.rows})
    rows = [found.rows[name] for name in names]
    there = [found.labelled(name, task) for name in names]
    share = [count / max(whole, 1) for count, whole in zip(rows, there, strict=True)]
    before = [usual.rows[name] / max(usual.labelled(name, task), 1) for name in names]
    shift = [_beyond_chance(*each) for each in zip(share, before, there, strict=True)]
    limited = [
        math.nan if _per_token(name, task) else part
        for name, part in zip(names, share, strict=True)
    ]
    start = [f"{count:,} rows" for count in rows]
    content = {"id": names, "label": names, "rows": rows, "share": limited, "shift": shift}
    return pd.DataFrame({**content, "start": start})


def task_frame(frames: Mapping[str, pd.DataFrame], split: str, task: Task) -> pd.DataFrame:
    """One row a task: its rows, and of one whose labels are numbers what these are like.

    `commonest` is the share of the number that most rows have, `shift` how far the numbers'
    distribution is from train's (Kolmogorov-Smirnov) beyond chance; both are null without numbers.
    """
    usual = {name: _numbers(rows) for name, rows in _of_numbers(frames["train"], task)}
    records = []
    for name, head, rows in _members(frames[split], task):
        record: dict[str, Any] = {"id": name, "task": name, "kind": head.kind, "rows": len(rows)}
        record |= {"commonest": math.nan, "shift": math.nan}
        said = "no number among the labels"
        if head.numeric and len(values := _numbers(rows)):
            record["commonest"] = float(
                np.unique(values, return_counts=True)[1].max() / len(values)
            )
            record["shift"] = _apart(values, usual[name])
            said = f"{values.min():g} to {values.max():g}, {values.mean():g} on average"
        records.append({**record, "start": f"{len(rows):,} rows, {said}"})
    return pd.DataFrame(records)


def without_classes(task: Task) -> tuple[str, ...]:
    """Why nothing, or not all, can be said of the classes of a task."""
    several = len(task.members()) > 1
    found = []
    for name, head in task.members().items():
        of = f"of {name}" if several else "of this task"
        if head.numeric:
            found.append(f"the labels {of} are numbers, not classes")
        if head.per_token:
            found.append(f"any number of entities {of} may stand in a text: no share is too large")
    return tuple(found)


def tell_labels(
    frames: Mapping[str, pd.DataFrame], suite: Sequence[Entry], labels: Sequence[str], task: Task
) -> list[Entry]:
    """Add to rows what only their labels' classes and numbers tell; the suite about these.

    What the suite says of the values of `label` becomes a flag: whether it holds for each class
    that a row names, null where labels are numbers. Numbers stand in `value`.
    """
    own = [
        each.model_copy(update={"values": list(labels)})
        if by_class(each) and each.values == "known"
        else each
        for each in suite
    ]
    for frame in frames.values():
        for entry in filter(by_class, own):
            frame[flag(entry)] = _flags(frame, entry, task)
        if any(head.numeric for head in task.members().values()):
            frame["value"] = np.nan
            for _, rows in _of_numbers(frame, task):
                frame.loc[rows["label"].dropna().index, "value"] = _numbers(rows)
    return own


class _Counted(NamedTuple):
    """Of a split: rows by class, and labelled rows by task."""

    rows: Counter[str]
    tasks: dict[str, int]

    def labelled(self, name: str, task: Task) -> int:
        """Those of the task that a class is of."""
        return self.tasks.get(task.member_of(name), 0)


def _counted(frame: pd.DataFrame, task: Task) -> _Counted:
    found = _Counted(Counter(), {})
    for name, head, rows in _members(frame, task):
        counts = rows["label"].value_counts()
        found.tasks[name] = int(counts.sum())
        for label, count in counts[counts > 0].items() if not head.numeric else ():
            for each in {*task.named(str(label), name)}:
                found.rows[each] += int(count)
    return found


def _members(frame: pd.DataFrame, task: Task) -> Iterator[tuple[str, Task, pd.DataFrame]]:
    """Each task by its name, with its rows; of a task alone, all of them."""
    heads = task.members()
    for name, head in heads.items():
        yield name, head, frame if len(heads) == 1 else frame[frame["task"] == name]


def _of_numbers(frame: pd.DataFrame, task: Task) -> Iterator[tuple[str, pd.DataFrame]]:
    return ((name, rows) for name, head, rows in _members(frame, task) if head.numeric)


def _numbers(rows: pd.DataFrame) -> Floats:
    return rows["label"].dropna().astype(str).to_numpy().astype(np.float64)


def _flags(frame: pd.DataFrame, entry: Entry, task: Task) -> pd.api.extensions.ExtensionArray:
    """For each row whether every class that it names may be there; null where it can name none."""
    listed, wanted = {*map(str, entry.limits["value_set"])}, "not_be_in_set" not in entry.expect
    found = np.full(len(frame), -1, np.int8)
    for name, head, rows in _members(frame, task):
        if head.numeric:
            continue
        label = rows["label"].cat.remove_unused_categories().cat
        told = [
            all((each in listed) == wanted for each in task.named(one, name))
            for one in label.categories
        ]
        places = frame.index.get_indexer(rows.index)
        found[places] = np.array([*told, -1], np.int8)[label.codes.to_numpy()]
    return pd.arrays.BooleanArray(found == 1, found == -1)


def _per_token(name: str, task: Task) -> bool:
    head = task.members().get(task.member_of(name))
    return head is not None and head.per_token


def _beyond_chance(share: float, usual: float, rows: int) -> float:
    error = math.sqrt(usual * (1 - usual) / max(rows, 1))
    return max(0.0, abs(share - usual) - 3 * error)


def _apart(values: Floats, usual: Floats) -> float:
    """The largest distance of two empirical distribution functions, less what chance explains."""
    if not len(usual):
        return math.nan
    ends = np.concatenate([values, usual])
    one, other = (np.searchsorted(np.sort(each), ends, "right") for each in (values, usual))
    far = float(np.abs(one / len(values) - other / len(usual)).max())
    return max(0.0, far - CERTAIN * math.sqrt(1 / len(values) + 1 / len(usual)))
