"""Optimum's dynamic int8 for ONNX Runtime: `python -m tests.peers.optimum FINETUNED TEXTS TARGET`.

Run in the environment of optimum.lock. The settings are those that its documentation gives for a
CPU: per channel, with VNNI where the processor has it, AVX2 where not.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path


def main(finetuned: Path, target: Path) -> None:
    """Leave `model_quantized.onnx`, a config and a tokenizer in `target`."""
    from optimum.onnxruntime import ORTModelForSequenceClassification, ORTQuantizer
    from optimum.onnxruntime.configuration import AutoQuantizationConfig
    from transformers import AutoTokenizer

    work = target / "work"
    model = ORTModelForSequenceClassification.from_pretrained(finetuned, export=True)
    model.save_pretrained(work)
    flags = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="ignore")
    vnni = "avx512_vnni" in flags or "avx_vnni" in flags
    kind = AutoQuantizationConfig.avx512_vnni if vnni else AutoQuantizationConfig.avx2
    quantizer = ORTQuantizer.from_pretrained(work)
    how = kind(is_static=False, per_channel=True)
    quantizer.quantize(save_dir=target, quantization_config=how)
    AutoTokenizer.from_pretrained(finetuned).save_pretrained(target)
    shutil.rmtree(work)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[3]))
