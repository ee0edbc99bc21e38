"""What every section of `params.yaml` has in common: checked before any work, in one clear line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self, TypeVar, get_args

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from tasks.stage.errors import BadInput

PARAMS = Path("params.yaml")


def _number(value: object) -> object:
    """YAML 1.1 reads `1e-4` (no dot) as text; everybody who writes it means the number."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


Number = Annotated[float, BeforeValidator(_number)]
"""A float in `params.yaml`, however it is written."""


class Section(BaseModel):
    """One section of `params.yaml`; `section` is its name (and the stage's)."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    section: ClassVar[str]


S = TypeVar("S", bound=Section)
M = TypeVar("M", bound=BaseModel)


def load_section(section: type[S], path: Path = PARAMS) -> S:
    """The section of `path`, checked; a missing section means all defaults.

    Raises BadInput with a line a problem, naming the key, what it got and what it takes.
    """
    return check(section, read(path).get(section.section) or {}, path)


def read(path: Path = PARAMS) -> dict[str, Any]:
    """The raw content of a params file; raises BadInput when it is not a YAML mapping."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadInput(f"{path} is missing in {Path.cwd()}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise BadInput(f"{path} must hold sections (`finetune:` and so on), got {content!r}")
    return content


def check(model: type[M], content: Any, path: Path = PARAMS) -> M:
    """`content` as `model`, or BadInput with everything that is wrong, a line each."""
    try:
        return model.model_validate(content)
    except ValidationError as error:
        root = f"{model.section}." if issubclass(model, Section) else ""
        lines = [f"{path}: {root}{line}" for line in _explain(model, error)]
        raise BadInput("\n".join(lines)) from None


def _explain(model: type[BaseModel], error: ValidationError) -> Iterator[str]:
    """A line a key: what it got and what it takes, the arms of a union joined by "or"."""
    problems: dict[str, list[ErrorDetails]] = {}
    for problem in error.errors():
        key, _ = _place(model, problem)
        problems.setdefault(key, []).append(problem)
    for key, found in problems.items():
        if any(other.startswith(f"{key}.") for other in problems):
            continue  # the deeper line says more
        takes = " or ".join(dict.fromkeys(_takes(model, problem) for problem in found))
        if found[0]["type"] in ("extra_forbidden", "missing"):
            yield f"{key}: {takes}"
        elif found[0]["type"] == "value_error" and found[0]["msg"].count("; takes"):
            yield takes  # a check across keys, which names them itself
        else:
            yield f"{key}: got {found[0]['input']!r}; takes {takes}"


def _takes(model: type[BaseModel], problem: ErrorDetails) -> str:
    limits = problem.get("ctx", {})
    kind = problem["type"]
    said = {
        "greater_than": "more than {gt}",
        "greater_than_equal": "{ge} or more",
        "less_than": "less than {lt}",
        "less_than_equal": "{le} or less",
        "literal_error": "{expected}",
        "too_short": "at least {min_length} of them",
        "missing": "is missing",
        "model_type": "a section of keys",
        "tuple_type": "a list of two",
        "dict_type": "a mapping of names",
    }.get(kind)
    if said:
        return said.format(**limits)
    if kind == "extra_forbidden":
        _, known = _place(model, problem)
        return f"unknown key; known are {', '.join(known)}"
    message = problem["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    return message.removeprefix("takes ")


def _place(model: type[BaseModel], problem: ErrorDetails) -> tuple[str, list[str]]:
    """A problem's dotted key, and the keys that the section around it knows.

    The location that pydantic gives also names the arm of a union; that is no key.
    """
    place: list[str] = []
    around, known = [model], []
    unknown_key = problem["type"] == "extra_forbidden"
    for step in problem["loc"]:
        fields = {f.alias or name: f for kind in around for name, f in kind.model_fields.items()}
        known = list(fields)
        if isinstance(step, int) or step in fields or (unknown_key and step == problem["loc"][-1]):
            place.append(str(step))
            around = _models(fields[step].annotation) if step in fields else []
        else:
            around = [kind for kind in around if kind.__name__ == step]
    return ".".join(place), known


def _models(annotation: Any) -> list[type[BaseModel]]:
    """The sections that a field may hold."""
    arms = get_args(annotation) or (annotation,)
    return [arm for arm in arms if isinstance(arm, type) and issubclass(arm, BaseModel)]


class Everything(BaseModel):
    """Base of the whole file's schema (`tasks.params.schema.Params`)."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    @classmethod
    def load(cls, path: Path = PARAMS) -> Self:
        """The whole file, checked; raises BadInput as `load_section` does."""
        return check(cls, read(path), path)
