"""The file `expectations.yaml`: what data must be like, as a list of entries that people own.

The package brings defaults (`defaults.yaml`) that fit any task. An entry of the project's file
sharpens the default of its name, takes it away (`off: true`), or adds one of its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from tasks.data.dataset import SCHEMA
from tasks.params.base import Number, check
from tasks.stage.errors import BadInput

EXPECTATIONS = Path("expectations.yaml")
DEFAULTS = Path(__file__).with_name("defaults.yaml")

Table = Literal[
    "rows",
    "classes",
    "tasks",
    "intake",
    "repetition",
    "giveaways",
    "suspects",
    "drift",
    "agreement",
]
Split = Literal["train", "validation", "test"]
Severity = Literal["stop", "quarantine", "warn"]
LIMITS = ("at_least", "at_most", "values", "matches", "with")
ROW_TEXTS = ("text", "text_pair", "label")
ROW_EXPECTATIONS = (
    "column_values_to_match_regex",
    "column_values_to_not_match_regex",
    "column_value_lengths_to_be_between",
    "column_values_to_be_between",
    "column_values_to_be_in_set",
    "column_values_to_not_be_in_set",
    "column_values_to_not_be_null",
)
"""What can be said of a row without looking at any other, while it is read. Of lengths of values,
and of `characters`, which counts both texts of a pair together."""


class Limit(BaseModel):
    """A range that a figure of a record must lie in for the record to be judged."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    at_least: Number | None = None
    at_most: Number | None = None

    def words(self) -> list[str]:
        """For example `at least 50`."""
        bounds = (("at least", self.at_least), ("at most", self.at_most))
        return [f"{word} {bound:g}" for word, bound in bounds if bound is not None]


class Entry(BaseModel):
    """One expectation: a table, a column, what Great Expectations holds it against, a severity."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: str = Field(min_length=1)
    table: Table
    expect: str = Field(description="a core expectation of Great Expectations, in snake case")
    column: str | None = None
    splits: list[Split] | None = Field(None, min_length=1, description="null: all three")
    where: dict[str, Limit | str | list[str]] = Field(default_factory=dict)
    at_least: Number | None = None
    at_most: Number | None = None
    values: list[Any] | Literal["known"] | None = Field(
        None, description="`known`: the labels of the version in production, else those of train"
    )
    matches: str | None = Field(None, description="a regular expression, found anywhere")
    with_: dict[str, Any] = Field(
        default_factory=dict, alias="with", description="further arguments, by their own names"
    )
    severity: Severity = "stop"
    because: str | None = Field(None, description="for who reads that it is not met")
    off: bool = False

    @property
    def limits(self) -> dict[str, Any]:
        """Every limit that is set, under the names that Great Expectations gives them."""
        words: dict[str, Any] = {
            "min_value": self.at_least,
            "max_value": self.at_most,
            "value_set": self._values(),
            "regex": self.matches,
        }
        return {**{key: value for key, value in words.items() if value is not None}, **self.with_}

    def _values(self) -> list[Any] | str | None:
        """Every column of the dataset is text, so a value of it is, however it is written."""
        if isinstance(self.values, list) and self.column in SCHEMA.names:
            return [str(value) for value in self.values]
        return self.values

    @property
    def scope(self) -> str:
        """What `where` says, in words: ` where measure is labels`."""
        stated: list[str] = []
        for column, wanted in self.where.items():
            if isinstance(wanted, Limit):
                stated += [f"{column} is {words}" for words in wanted.words()]
            else:
                stated.append(
                    f"{column} is {wanted if isinstance(wanted, str) else ' or '.join(wanted)}"
                )
        return f" where {' and '.join(stated)}" if stated else ""

    @property
    def judges_single_rows(self) -> bool:
        """Whether every row can be judged by itself, without looking at any other."""
        columns = ("characters",) if self.expect.endswith("values_to_be_between") else ROW_TEXTS
        return (
            self.table == "rows"
            and self.column in columns
            and self.expect in ROW_EXPECTATIONS
            and {*self.limits} - {"mostly"} <= {"min_value", "max_value", "value_set", "regex"}
        )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.splits is not None and self.table not in ("rows", "classes", "tasks"):
            raise ValueError(f"splits: got {self.splits}; takes none on table {self.table}")
        if self.severity == "quarantine":
            self._check_row_rule()
        regex = self.limits.get("regex")
        if regex is not None:
            try:
                re.compile(regex)
            except (re.error, TypeError) as error:
                raise ValueError(
                    f"matches: got {regex!r}; takes a regular expression: {error}"
                ) from None
        return self

    def _check_row_rule(self) -> None:
        if not self.judges_single_rows or "mostly" in self.with_:
            raise ValueError(
                "severity: got 'quarantine'; takes stop or warn: only a row that is bad by itself "
                f"can be set aside (table rows, column {', '.join(ROW_TEXTS)} or characters, "
                f"without mostly; expect {', '.join(ROW_EXPECTATIONS)})"
            )
        needed = next((keys for end, keys in _NEEDED.items() if self.expect.endswith(end)), ())
        if needed and not {*needed} & {*self.limits}:
            raise ValueError(f"expect: got {self.expect!r}; takes {_SAID[needed[0]]} with it")


_NEEDED = {
    "regex": ("regex",),
    "in_set": ("value_set",),
    "between": ("min_value", "max_value"),
}
_SAID = {"regex": "`matches`", "value_set": "`values`", "min_value": "`at_least` or `at_most`"}


def read_entries(path: Path = EXPECTATIONS) -> list[Entry]:
    """The effective suite: the defaults as `path` sharpens them, then what it adds, in its order.

    A file that is not there changes nothing. Raises BadInput with a line a problem, naming the
    file, the entry and the key.
    """
    known = _by_name(DEFAULTS)
    found = known | {name: _sharpened(known.get(name), own) for name, own in _by_name(path).items()}
    entries: list[Entry] = []
    problems: list[str] = []
    for name, content in found.items():
        where = f"{path}, entry {name!r}"
        if missing := [key for key in ("table", "expect") if key not in content]:
            problems.append(f"{where}: {' and '.join(missing)}: missing{_meant(name, known)}")
            continue
        try:
            entries.append(check(Entry, content, Path(where)))
        except BadInput as error:
            problems.append(str(error))
    if problems:
        raise BadInput("\n".join(problems))
    return [entry for entry in entries if not entry.off]


def _by_name(path: Path) -> dict[str, dict[str, Any]]:
    """The entries that a file itself has, raw, each under its name; none when there is no file."""
    found: dict[str, dict[str, Any]] = {}
    for at, content in enumerate(_read(path), 1):
        name = content.get("name") if isinstance(content, dict) else None
        if not isinstance(name, str) or not name:
            raise BadInput(f"{path}, entry {at}: name: got {name!r}; takes a name for people")
        if name in found:
            raise BadInput(f"{path}, entry {at}: name: {name!r} comes twice; give each its own")
        found[name] = content
    return found


def _read(path: Path) -> list[Any]:
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506
    except FileNotFoundError:
        return []
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, list | None):
        raise BadInput(f"{path} must hold a list of entries (`- name: …`), got {content!r:.80}")
    return content or []


def _sharpened(default: Mapping[str, Any] | None, own: dict[str, Any]) -> dict[str, Any]:
    """A default with the keys of `own`; another `expect` brings all of its own limits."""
    dropped = LIMITS if "expect" in own else ()
    return {key: value for key, value in (default or {}).items() if key not in dropped} | own


def _meant(name: str, known: Mapping[str, Any]) -> str:
    near = get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"defaults are {', '.join(known)}"
    return f"; no default has this name, so it says all of them itself; {hint}"


class _Loader(yaml.SafeLoader):
    """YAML where only true and false are booleans: `yes`, `no`, `off` and days are text here."""


_AS_TEXT = {"tag:yaml.org,2002:bool", "tag:yaml.org,2002:timestamp"}
_Loader.yaml_implicit_resolvers = {
    first: [kind for kind in kinds if kind[0] not in _AS_TEXT]
    for first, kinds in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(?:true|false)$"), ["t", "f"])
