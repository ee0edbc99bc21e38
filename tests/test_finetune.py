"""The stage in one process: what it leaves for the stages after it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tasks.finetune import finetune
from tasks.inference.onnx_export import export_onnx, input_names
from tasks.params.finetune import Finetune
from tasks.stage.errors import BadInput
from tasks.training.classifier import load_finetuned, load_tokenizer
from tests.training.made import SMALL_STAGE, approve


@pytest.fixture
def approved(workspace: Path, tiny_model: Path) -> Path:
    """A workspace with what the stages before have left."""
    approve(workspace, tiny_model)
    return workspace


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_it_leaves_a_folder_that_loads_with_one_call(approved: Path) -> None:
    from transformers import AutoModelForSequenceClassification

    found = finetune(Finetune(**SMALL_STAGE))
    model = AutoModelForSequenceClassification.from_pretrained("models/finetuned")
    assert model.config.id2label == {0: "bad", 1: "good"}
    assert found["metrics"]["steps"] == 32
    assert found["metrics"]["trained_share"] == 1
    assert found["metrics"]["skipped_steps"] == 0


@pytest.mark.parametrize("adapter", ["lora", "adalora", "ia3"])
def test_with_an_adapter_the_folder_is_that_of_the_whole_model(
    approved: Path, adapter: str
) -> None:
    from safetensors.torch import load_file

    finetune(Finetune(**SMALL_STAGE))
    plain = Path("models/finetuned").rename("models/plain")
    found = finetune(Finetune(**SMALL_STAGE, adapter={"method": adapter, "rank": 2}))  # type: ignore[arg-type]
    assert found["metrics"]["trained_share"] < 0.2
    merged = Path("models/finetuned")
    assert files(merged) == files(plain)
    assert (merged / "config.json").read_bytes() == (plain / "config.json").read_bytes()
    one, other = (load_file(folder / "model.safetensors") for folder in (plain, merged))
    assert {k: v.shape for k, v in one.items()} == {k: v.shape for k, v in other.items()}
    if adapter == "lora":  # an export takes a while, and what is equal above is equal here
        assert graph_of(merged) == graph_of(plain)


def graph_of(folder: Path) -> tuple[list[str], set[tuple[int, ...]]]:
    """The operators of the ONNX file that `export` makes of a model, and its tensors' shapes.

    A set, since the exporter keeps one of several equal tensors, and the vectors of the untrained
    base are all ones or all zeros: those that full fine-tuning leaves are not.
    """
    import onnx

    tokenizer, model = load_tokenizer(folder), load_finetuned(folder, "eager")
    target = folder.with_suffix(".onnx")
    export_onnx(model, input_names(tokenizer, model), target, opset=20)
    graph = onnx.load(target).graph
    shapes = {tuple(tensor.dims) for tensor in graph.initializer}
    return [node.op_type for node in graph.node], shapes


def test_everything_at_once_goes_together(approved: Path) -> None:
    found = finetune(
        Finetune(
            **{**SMALL_STAGE, "precision": "fp16", "epochs": 1},
            micro_batch=8, gradient_checkpointing="always", layer_decay=0.9,
            freeze_embeddings=True, freeze_layers=1, ema=0.9, adversarial="fgm", adapter="lora",  # type: ignore[arg-type]
        )
    )  # fmt: skip
    assert found["plan"]["micro_batch"] == 8
    assert found["plan"]["gradient_checkpointing"] is True
    assert files(Path("models/finetuned")) >= {"config.json", "model.safetensors", "tokenizer.json"}


def test_what_two_ranks_share_out_is_put_together_and_merged(approved: Path) -> None:
    from safetensors.torch import load_file

    wanted = {**SMALL_STAGE, "dropout": 0.0, "adapter": "lora"}
    alone = finetune(Finetune(**wanted))
    plain = Path("models/finetuned").rename("models/plain")
    shared = finetune(Finetune(**wanted, processes=2, sharding="fsdp"))
    assert shared["plan"]["sharding"] == "fsdp"
    for name in ("validation_loss", "trained_share"):
        assert shared["metrics"][name] == pytest.approx(alone["metrics"][name], rel=1e-4)
    one, two = (load_file(f / "model.safetensors") for f in (plain, Path("models/finetuned")))
    for name, tensor in one.items():
        torch.testing.assert_close(two[name], tensor, atol=2e-3, rtol=1e-2)
    assert not list(Path(".nightshift/checkpoints").glob("finetune-*"))


def test_a_target_that_no_module_has_is_one_clear_line(approved: Path) -> None:
    adapter = {"method": "lora", "targets": ["q_proj"]}
    with pytest.raises(BadInput) as caught:
        finetune(Finetune(**SMALL_STAGE, adapter=adapter))  # type: ignore[arg-type]
    assert "got 'q_proj', which no module of the model is called" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not Path("models/finetuned").exists()
