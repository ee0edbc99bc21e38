"""What this machine will do with these parameters, and whether it has what a run needs.

Importing this is cheap; torch and ONNX Runtime are loaded by `describe_plan` alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tasks.inference.targets import TARGETS, Target
from tasks.reporting.examination import CHECKS, Check
from tasks.reporting.wording import count, size
from tasks.stage.outputs import read_json
from tasks.training.footprint import Shape, read_shape

if TYPE_CHECKING:
    from tasks.params.schema import Params
    from tasks.training.plan import Plan

BASE = Path("models/base.json")
APPROVED = Path("data/approved.json")
USED_PROVIDER = "CPUExecutionProvider"
"""What the Predictor runs on where a release names no other, or what it names is not here."""


def describe_plan(params: Params) -> dict[str, Any]:
    """Every choice that `auto` comes to here, with why, and what it will take.

    Keys: finetune, data, memory, serving, processor, warnings; ready for JSON. Raises BadInput for
    a device or precision that this machine hasn't.
    """
    from tasks.training.memory import plan_training
    from tasks.training.plan import accelerator

    shape = _shape(params.finetune.model)
    plan = plan_training(params.finetune, shape)
    memory = _memory(params, plan, shape)
    return {
        "finetune": {
            "device": plan.device,
            "accelerator": accelerator(plan.device),
            "precision": plan.precision,
            "attention": plan.attention,
            "processes": plan.processes,
            "hosts": plan.hosts,
            "sharding": plan.sharding if plan.ranks > 1 else None,
            "threads": plan.threads,
            "micro_batch": plan.micro_batch,
            "gradient_checkpointing": plan.gradient_checkpointing,
            "backend": plan.backend if plan.ranks > 1 else None,
            "why": list(plan.why),
        },
        "data": _data(params),
        "memory": memory,
        "serving": _serving(params),
        "processor": _processor(),
        "warnings": _warnings(memory, plan),
    }


def print_plan(found: dict[str, Any]) -> None:
    """Print what `describe_plan` found, a line a choice."""
    train, serving, processor = found["finetune"], found["serving"], found["processor"]
    shape = f"{train['processes']} process(es) of {train['threads']} thread(s)"
    if train["sharding"]:
        shape += f", {train['sharding']} on {train['hosts']} host(s)"
    instructions = ", ".join(processor["instructions"]) or "none of those that matter here"
    rows = [
        ("processor", f"{processor['cpu']}, {processor['cores']} cores to use"),
        ("", f"{instructions}; torch computes in {processor['capability']}"),
        ("training", f"{train['device']} in {train['precision']}, {shape}"),
        ("", f"attention: {train['attention']}; {'; '.join(train['why'])}"),
        ("steps", _told_steps(found["data"])),
        ("memory", _told_memory(found["memory"])),
        ("serving", f"{serving['used']}, {serving['threads']} thread(s)"),
        *(("", f"for {name}: {told or 'here'}") for name, told in serving["targets"].items()),
        ("", f"ONNX Runtime here also has: {', '.join(serving['others']) or 'nothing else'}"),
        *(("warning", text) for text in found["warnings"]),
    ]
    _print(rows)


def examine() -> list[dict[str, Any]]:
    """Every check as {name, ok, found, advice}; advice is empty where there is nothing to do."""
    return [_examined(name, check) for name, check in CHECKS.items()]


def print_examination(checks: Sequence[dict[str, Any]]) -> None:
    """Print what `examine` found, a line a check, and what to do about those that failed."""
    grid = Table.grid(padding=(0, 2))
    for check in checks:
        mark = Text("✓", "green") if check["ok"] else Text("✕", "bold red")
        grid.add_row(mark, Text(check["name"]), Text(check["found"]))
        if check["advice"]:
            grid.add_row("", "", Text(check["advice"], "yellow" if check["ok"] else "red"))
    Console(highlight=False).print(grid)


def _examined(name: str, check: Check) -> dict[str, Any]:
    try:
        ok, found, advice = check()
    except Exception as error:
        ok, found, advice = False, f"{type(error).__name__}: {error}", "this check itself failed"
    return {"name": name, "ok": ok, "found": found, "advice": advice}


def _print(rows: Sequence[tuple[str, str]]) -> None:
    grid = Table.grid(padding=(0, 2))
    for name, text in rows:
        style = "bold yellow" if name == "warning" else "bold"
        grid.add_row(Text(name, style), Text(text))
    Console(highlight=False).print(grid)


def _data(params: Params) -> dict[str, Any]:
    """Steps of fine-tuning, once the data is there."""
    if not APPROVED.is_file():
        return {"examples": None, "steps_an_epoch": None, "steps": None}
    rows = int(read_json(APPROVED)["splits"]["train"]["rows"])
    steps = math.ceil(rows / params.finetune.batch)
    return {"examples": rows, "steps_an_epoch": steps, "steps": steps * params.finetune.epochs}


def _memory(params: Params, plan: Plan, shape: Shape | None) -> dict[str, Any]:
    """An upper estimate, as if each text had `finetune.max_length` tokens; null is not known."""
    from tasks.training.memory import needed

    found: dict[str, Any] = {"model": params.finetune.model, "available": _available(plan.device)}
    if shape is None:
        return {**found, "parameters": None, "state": None, "activations": None, "total": None}
    state, kept = needed(plan, params.finetune, shape)
    ranks = plan.processes if plan.device == "cpu" else 1
    return {
        **found,
        "parameters": shape.parameters,
        "state": ranks * state,
        "activations": ranks * kept,
        "total": ranks * (state + kept),
    }


def _shape(model: str) -> Shape | None:
    """The shape of a model that is on this machine already; nothing is fetched to plan."""
    from tasks.sources.samples import sample_folder

    try:
        if not model.startswith("sample:"):
            return read_shape(Path(model))
        return read_shape(sample_folder(model.removeprefix("sample:"))) if BASE.is_file() else None
    except (OSError, ValueError, KeyError):
        return None


def _available(device: str) -> int:
    """Bytes that are free where training happens."""
    if device == "cuda":
        import torch

        return int(torch.cuda.mem_get_info()[0])
    from tasks.reporting.examination import free_memory

    return free_memory()


def _serving(params: Params) -> dict[str, Any]:
    import onnxruntime

    from tasks.stage.cores import cores

    available = onnxruntime.get_available_providers()
    return {
        "used": USED_PROVIDER,
        "others": [name for name in available if name != USED_PROVIDER],
        "targets": {
            name: TARGETS[name].stand_in(_runs_on(TARGETS[name])) for name in params.export.targets
        },
        "threads": params.benchmark.threads or cores(),
        "onnxruntime": onnxruntime.__version__,
    }


def _runs_on(target: Target) -> str:
    """What a target's variants would run on here."""
    import onnxruntime

    if target.runtime == "openvino":
        return "OpenVINO" if find_spec("openvino") else "nothing"
    here = target.provider in onnxruntime.get_available_providers()
    return target.provider if target.provider and here else USED_PROVIDER


def _processor() -> dict[str, Any]:
    import torch

    from tasks.measuring.machine import describe_cpu
    from tasks.stage.cores import cores

    capability = torch.backends.cpu.get_cpu_capability()
    return {**describe_cpu(), "capability": capability, "cores": cores()}


def _warnings(memory: dict[str, Any], plan: Plan) -> list[str]:
    found: list[str] = []
    total, available = memory["total"], memory["available"]
    if total is not None and total > available:
        found.append(
            f"training may take {size(total)}, {size(available)} are free: lower "
            "finetune.micro_batch, finetune.max_length or finetune.processes"
        )
    if plan.device == "cpu" and plan.processes > 1:
        found.append("on one processor, one process of all threads is faster than several")
    return found


def _told_steps(data: dict[str, Any]) -> str:
    if data["examples"] is None:
        return "known once validate has approved the data"
    each = f"{count(data['examples'])} examples, {count(data['steps_an_epoch'])} steps an epoch"
    return f"{each}, {count(data['steps'])} in all"


def _told_memory(memory: dict[str, Any]) -> str:
    free = f"{size(memory['available'])} free"
    if memory["total"] is None:
        return f"{free}; the estimate for {memory['model']} comes once the model is on this machine"
    kept = f"activations {size(memory['activations'])}"
    state = f"{count(memory['parameters'])} weights and their Adam state {size(memory['state'])}"
    return f"up to {size(memory['total'])} ({state}, {kept}); {free}"
