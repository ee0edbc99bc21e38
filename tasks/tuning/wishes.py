"""Reading a space as people write it, and holding it against the schema of params.yaml.

`finetune.learning_rate=1e-5..5e-4:log` is a range, `finetune.layer_decay=0.8,0.9,1.0` a list of
choices; a file has the same, a line of YAML a parameter, and may have lists.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel

from tasks.params.base import check, read
from tasks.params.schema import Params
from tasks.stage.errors import BadInput
from tasks.tuning.editing import changed
from tasks.tuning.space import Choice, Dimension, Range, Space, Value, text

RANGE = re.compile(r"(?P<low>[^,]+?)\.\.(?P<high>[^,:]+)(?P<log>:log)?")
WHOLE = re.compile(r"[+-]?\d+")
OPTION = Path("--space")
"""What an error names, where it would name a file."""
FORM = "takes KEY=LOW..HIGH, KEY=LOW..HIGH:log or KEY=CHOICE,CHOICE, or a YAML file of such"
SEARCHED = {"finetune": ("finetune",), "prune": ("finetune", "prune")}
"""The sections that a stage's validation figure depends on, without those that make the data."""
REFUSED = {
    "finetune.seed": "another seed is luck, not a better parameter",
    "prune.seed": "another seed is luck, not a better parameter",
    "finetune.hosts": "a trial runs on this machine alone",
    "prune.max_levels": "trials are compared by their first level",
    "prune.max_drop": "trials are compared by their first level, however much it loses",
}


def read_space(wishes: Sequence[str], stage: str, params: Mapping[str, Any]) -> Space:
    """The space of some `--space` options, each checked with the rest of `params` as it is.

    Raises BadInput naming the option: a form that is none, a key that is unknown or of no
    influence, a value that the schema does not take.
    """
    found = dict(pair for wish in wishes for pair in _pairs(wish))
    if not found:
        raise BadInput(f"--space is missing: {FORM}")
    for key in found:
        if key.partition(".")[0] not in SEARCHED[stage]:
            takes = " or ".join(f"{section}.…" for section in SEARCHED[stage])
            raise BadInput(
                f"--space: {key}: is not searched for the validation figure of {stage}: takes "
                f"{takes} (what makes the data would make the trials incomparable)"
            )
        if key in REFUSED:
            raise BadInput(f"--space: {key}: can't be searched: {REFUSED[key]}")
    space = Space(tuple(_dimension(key, wish) for key, wish in found.items()))
    for dimension in space.dimensions:
        for value in dimension.extremes():
            check(Params, changed(params, {dimension.key: value}), OPTION)
    return space


def _pairs(wish: str) -> Iterator[tuple[str, Any]]:
    """Key and range or choices, of one option or of a file's lines."""
    key, equals, said = wish.partition("=")
    if equals:
        yield key.strip(), said.strip()
        return
    path = Path(wish)
    if not path.is_file():
        raise BadInput(f"--space: got {wish!r}, and no such file; {FORM}")
    yield from ((str(key), said) for key, said in read(path).items())


def _dimension(key: str, said: Any) -> Dimension:
    if isinstance(said, list):
        return _choice(key, said)
    if not isinstance(said, str):
        raise BadInput(f"--space: {key}: got {said!r}; {FORM}")
    limits = RANGE.fullmatch(said)
    if limits is None:
        try:
            return _choice(key, [_scalar(each) for each in said.split(",")])
        except yaml.YAMLError:
            raise BadInput(f"--space: {key}: got {said!r}; {FORM}") from None
    return _range(key, limits["low"].strip(), limits["high"].strip(), bool(limits["log"]))


def _choice(key: str, said: list[Value]) -> Choice:
    values = [_written_as(key, value) for value in said]
    if len(values) < 2 or len(set(map(text, values))) < len(values):
        raise BadInput(f"--space: {key}: got {values}; takes two choices or more, all different")
    return Choice(key, tuple(values))


def _written_as(key: str, value: Value) -> Value:
    """A whole number where fractions are taken is the same as with a point."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    return float(value) if whole and _numbers(Params, key.split(".")) == {float} else value


def _range(key: str, low: str, high: str, log: bool) -> Range:
    try:
        ends = float(low), float(high)
    except ValueError:
        raise BadInput(f"--space: {key}: got {low}..{high}; takes two numbers") from None
    if not ends[0] < ends[1] or (log and ends[0] <= 0):
        wanted = "0 < LOW < HIGH" if log else "LOW < HIGH"
        raise BadInput(f"--space: {key}: got {low}..{high}; takes {wanted}")
    whole = _numbers(Params, key.split(".")) == {int}
    if whole and not (WHOLE.fullmatch(low) and WHOLE.fullmatch(high)):
        raise BadInput(f"--space: {key}: got {low}..{high}; takes whole numbers")
    return Range(key, *ends, whole, log)


def _scalar(said: str) -> Value:
    value = yaml.safe_load(said)
    if isinstance(value, str) and re.fullmatch(r"[+-]?[\d.]+[eE][+-]?\d+", value):
        return float(value)  # YAML 1.1 wants a dot in 1e-4; nobody else does
    return value


def _numbers(model: type[BaseModel], path: Sequence[str]) -> set[Any]:
    """Which of int and float a parameter takes; an unknown key is for the schema to refuse."""
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    if path[0] not in fields:
        return set()
    arms = set(_arms(fields[path[0]].annotation))
    if len(path) == 1:
        return arms & {int, float}
    sections = [arm for arm in arms if isinstance(arm, type) and issubclass(arm, BaseModel)]
    return {number for section in sections for number in _numbers(section, path[1:])}


def _arms(annotation: Any) -> Iterator[Any]:
    """The types inside unions and annotations."""
    inside = get_args(annotation)
    if not inside:
        yield annotation
    for each in inside:
        yield from _arms(each)
