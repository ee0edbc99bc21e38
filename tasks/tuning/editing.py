"""Setting parameters in params.yaml with every comment and every other line as it was."""

from __future__ import annotations

import re
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml
from yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode

from tasks.params.base import PARAMS
from tasks.stage.errors import BadInput
from tasks.stage.outputs import whole

COMMENT = re.compile(r"( +)#")


def value_of(content: Mapping[str, Any], key: str, missing: Any = None) -> Any:
    """The value under a dotted key, a name standing for `method` of its section."""
    found: Any = content
    for name in key.split("."):
        section = _section(found)
        if name not in section:
            return missing
        found = section[name]
    return found


def changed(content: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of the content of params.yaml with some values set, by their dotted keys."""
    found = deepcopy(dict(content))
    for key, value in values.items():
        *above, last = key.split(".")
        section = found
        for name in above:
            section[name] = _section(section.get(name))
            section = section[name]
        section[last] = value
    return found


def _section(content: Any) -> dict[str, Any]:
    if isinstance(content, str):
        return {"method": content}
    return dict(content) if isinstance(content, Mapping) else {}


def write_params(values: Mapping[str, Any], path: Path = PARAMS) -> None:
    """Set values in a params file; raises BadInput, and leaves it, where that is not possible."""
    text = edited(path.read_bytes().decode("utf-8"), values, path)
    with whole(path) as draft:
        draft.write_bytes(text.encode("utf-8"))
        draft.chmod(path.stat().st_mode)


def edited(text: str, values: Mapping[str, Any], path: Path = PARAMS) -> str:
    """The text with values set, each in its own place, and nothing else changed."""
    before = yaml.safe_load(text)
    for key, value in values.items():
        text = _with_value(text, key, value, path)
    if yaml.safe_load(text) != changed(before, values):
        raise BadInput(f"{path}: {', '.join(values)} can't be set without touching other lines")
    return text


def _with_value(text: str, key: str, value: Any, path: Path) -> str:
    node: Node | None = yaml.compose(text, Loader=yaml.SafeLoader)
    names = key.split(".")
    while names and isinstance(node, MappingNode):
        inside = {each.value: found for each, found in node.value}
        if names[0] not in inside:
            return _inserted(text, node, names, value)
        node = inside[names.pop(0)]
    if isinstance(node, ScalarNode) and names:  # a name alone, or null, where a section goes
        value = changed({"it": yaml.safe_load(_cut(text, node))}, {".".join(["it", *names]): value})
        return _replaced(text, node, _flow(value["it"]))
    if node is None or _over_lines(node):
        raise BadInput(f"{path}: {key} is written over several lines: write it on one, as {{…}}")
    return _replaced(text, node, _flow(value))


def _cut(text: str, node: Node) -> str:
    return text[node.start_mark.index : node.end_mark.index]


def _replaced(text: str, node: Node, new: str) -> str:
    """A comment behind it stays in its column where there is room."""
    start, end = node.start_mark.index, node.end_mark.index
    if start == end:
        new = f" {new}"  # `key:` with nothing behind it
    rest = text[end:]
    if behind := COMMENT.match(rest):
        room = len(behind[1]) + (end - start) - len(new)
        rest = " " * max(min(2, len(behind[1])), room) + rest[len(behind[1]) :]
    return text[:start] + new + rest


def _inserted(text: str, section: MappingNode, names: list[str], value: Any) -> str:
    """A key that is not there yet, after the last of its section."""
    for name in reversed(names[1:]):
        value = {name: value}
    entry = f"{names[0]}: {_flow(value)}"
    if not section.value:
        return _replaced(text, section, f"{{{entry}}}")
    if section.flow_style:
        end = section.value[-1][1].end_mark.index
        return f"{text[:end]}, {entry}{text[end:]}"
    first = section.value[0][0]
    end = text.find("\n", _last(section).end_mark.index)
    end = len(text) if end < 0 else end
    if text[:end].endswith("\r"):
        end -= 1
    return f"{text[:end]}\n{' ' * first.start_mark.column}{entry}{text[end:]}"


def _last(node: Node) -> Node:
    """The last scalar or flow collection of a block: where a block ends can't be told from it."""
    while _over_lines(node) and node.value:
        node = node.value[-1][1] if isinstance(node, MappingNode) else node.value[-1]
    return node


def _over_lines(node: Node) -> bool:
    return isinstance(node, CollectionNode) and not node.flow_style


def _flow(value: Any) -> str:
    """A value on one line."""
    said = yaml.safe_dump(value, default_flow_style=True, width=float("inf"), sort_keys=False)
    return str(said).strip().removesuffix("...").strip()
