"""Olive's dynamic int8 for ONNX Runtime: `python -m tests.peers.olive FINETUNED TEXTS TARGET`.

Run in the environment of optimum.lock: to ONNX, ONNX Runtime's transformer fusions, int8, each with
Olive's own settings.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path


def main(finetuned: Path, target: Path) -> None:
    """Leave one ONNX file in `target`."""
    from olive.workflows import run

    work = target / "work"
    run(
        {
            "input_model": {
                "type": "HfModel", "model_path": str(finetuned), "task": "text-classification",
            },
            "passes": {
                "conversion": {"type": "OnnxConversion"},
                "fusions": {"type": "OrtTransformersOptimization", "model_type": "bert"},
                "int8": {"type": "OnnxDynamicQuantization"},
            },
            "output_dir": str(work / "out"),
            "cache_dir": str(work / "cache"),
        }
    )  # fmt: skip
    found = sorted((work / "out").rglob("*.onnx"))
    if len(found) != 1:
        raise SystemExit(f"olive left {len(found)} ONNX files in {work / 'out'}")
    import onnx

    onnx.save(onnx.load(found[0]), target / "model.onnx")
    shutil.rmtree(work)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[3]))
