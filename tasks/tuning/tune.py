"""From wishes to params.yaml: the search, its picture, its report, and what it changes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tasks.params.base import PARAMS, check, read
from tasks.params.schema import Params
from tasks.stage.errors import BadInput
from tasks.stage.outputs import remove, sha256, write_json
from tasks.tuning.bench import Bench
from tasks.tuning.editing import changed, edited, value_of, write_params
from tasks.tuning.picture import Found, write_picture
from tasks.tuning.search import Search, shown
from tasks.tuning.space import Space, Value
from tasks.tuning.study import Study, Tried
from tasks.tuning.wishes import SEARCHED, read_space

REPORT = Path("reports/tune.json")


@dataclass(frozen=True)
class Wanted:
    """What the command was asked for."""

    space: Sequence[str]
    stage: str
    name: str
    folder: Path
    seed: int
    deadline: float
    """Of time.monotonic."""
    trials: int | None
    fresh: bool
    write: bool


def tuned(wanted: Wanted, say: Callable[[str], None]) -> dict[str, Any]:
    """Search, and write the best to params.yaml if it is better; what reports/tune.json holds.

    An interruption leaves the study and its picture, and params.yaml as it was.
    """
    content = read()
    check(Params, content)
    space = read_space(wanted.space, wanted.stage, content)
    present = present_values(content, space)
    edited(PARAMS.read_text(encoding="utf-8"), present)  # what can't be written is not searched
    bench = Bench(wanted.stage, wanted.folder / wanted.name, content, space.keys)
    about = _about(wanted, content, space, bench)
    study = _study(wanted, space)
    study.agree(about)
    say(f"{wanted.stage} in {bench.folder}; logs are there, too")

    def draw() -> None:
        if bench.metric is not None:
            study.named(bench.metric)
        write_picture(_found(wanted, space, study, present))

    search = Search(study, bench, present, bench.folder / "logs", say, draw)
    try:
        ended = search.run(wanted.deadline, wanted.trials)
    finally:
        draw()
    return _conclude(wanted, space, study, present, bench, ended, about, say)


def present_values(content: Mapping[str, Any], space: Space) -> dict[str, Value]:
    """What params.yaml says of the parameters that are searched, by itself or by its defaults."""
    typed = check(Params, dict(content)).model_dump(by_alias=True, mode="json")
    found = {key: value_of(typed, key) for key in space.keys}
    sections = [key for key, value in found.items() if isinstance(value, dict)]
    return found | {key: value_of(content, key, found[key]) for key in sections}


def _study(wanted: Wanted, space: Space) -> Study:
    path = wanted.folder / f"{wanted.name}.db"
    if wanted.fresh:
        remove(path)
        remove(wanted.folder / wanted.name)
    return Study(path, space, wanted.seed)


def _about(
    wanted: Wanted, content: Mapping[str, Any], space: Space, bench: Bench
) -> dict[str, Any]:
    """What two trials must have in common to be compared: the rest of params.yaml, and the data."""
    rest = changed(content, dict.fromkeys(space.keys))
    inputs = [path for path in bench.inputs() if path.name != "dataset"]
    files = [path / "config.json" if path.is_dir() else path for path in inputs]
    files += sorted(file for path in inputs if path.is_dir() for file in path.glob("*.safetensors"))
    files += [bench.here / f"data/dataset/{split}.parquet" for split in ("train", "validation")]
    said = "".join(sha256(file) for file in files)
    return {
        "stage": wanted.stage,
        "space": space.describe(),
        "rest of params.yaml": {name: rest.get(name) for name in SEARCHED[wanted.stage]},
        "dataset or model": hashlib.sha256(said.encode()).hexdigest(),
    }


def _found(wanted: Wanted, space: Space, study: Study, present: dict[str, Value]) -> Found:
    before, best, metric = study.found(present), study.best(), study.metric
    return Found(
        wanted.stage, wanted.name, metric, space, study.tried(), before, best,
        _verdict(before, best, metric),
    )  # fmt: skip


def _verdict(before: Tried | None, best: Tried | None, metric: str) -> str:
    if best is None or best.figure is None:
        return "No trial has come to its end yet"
    if before is None or before.figure is None:
        return f"The best of the trials has {100 * best.figure:.2f} {metric} on validation"
    if best.figure <= before.figure:
        return f"Nothing was better than the present parameters: {100 * before.figure:.2f} {metric}"
    return (
        f"Trial {best.number} has {100 * best.figure:.2f} {metric} on validation, "
        f"{100 * (best.figure - before.figure):.2f} points more than the present parameters"
    )


def _conclude(
    wanted: Wanted, space: Space, study: Study, present: dict[str, Value], bench: Bench,
    ended: str, about: dict[str, Any], say: Callable[[str], None],
) -> dict[str, Any]:  # fmt: skip
    found = _found(wanted, space, study, present)
    say(f"{len(found.tried)} trials: {ended}")
    say(found.verdict)
    better = _is_better(found)
    written = better and wanted.write
    if written and found.best is not None:
        if _about(wanted, read(), space, bench) != about:
            raise BadInput(
                "params.yaml or the data changed meanwhile, so that nothing was written; the best "
                f"of what was: {shown(found.best.values)}"
            )
        write_params(found.best.values)
        say(f"params.yaml: {shown(found.best.values)}")
    if study.waiting == 0:
        bench.clear_models()
    report = _report(found, ended, written, wanted.seed)
    write_json(REPORT, report)
    say("reports/tune.html shows the trials")
    return report


def _is_better(found: Found) -> bool:
    """A figure of the present parameters is needed, and one that is above it."""
    best, before = found.best, found.present
    if best is None or before is None or before.state != "done":
        return False
    return (best.figure or 0.0) > (before.figure or 0.0)


def _report(found: Found, ended: str, written: bool, seed: int) -> dict[str, Any]:
    best, before = found.best, found.present
    return {
        "stage": "tune",
        "status": "ok",
        "retryable": False,
        "reason": None,
        "metrics": {
            "trials": len(found.tried),
            "figure": best.figure if best else None,
            "figure_before": before.figure if before else None,
        },
        "tuned": found.stage,
        "study": found.name,
        "metric": found.metric,
        "seed": seed,
        "space": found.space.describe(),
        "trials": [asdict(each) for each in found.tried],
        "present": asdict(before) if before else None,
        "best": asdict(best) if best else None,
        "ended": ended,
        "written": written,
    }
