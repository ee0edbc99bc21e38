"""NNCF's post-training int8 for OpenVINO: `python -m tests.peers.nncf FINETUNED TEXTS TARGET`.

Run in the environment of intel.lock. Calibrated on TEXTS, with NNCF's own settings for
transformers.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path


def main(finetuned: Path, texts: list[str], target: Path) -> None:
    """Leave `openvino_model.xml`, a config and a tokenizer in `target`."""
    import nncf
    import openvino
    from optimum.intel import OVModelForSequenceClassification
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(finetuned)
    model = OVModelForSequenceClassification.from_pretrained(finetuned, export=True, compile=False)
    names = {each.get_any_name() for each in model.model.inputs}

    def feeds(text: str) -> dict[str, object]:
        found = tokenizer(text, truncation=True, return_tensors="np")
        return {name: array for name, array in found.items() if name in names}

    small = nncf.quantize(
        model.model, nncf.Dataset(texts, feeds), model_type=nncf.ModelType.TRANSFORMER,
        subset_size=len(texts),
    )  # fmt: skip
    openvino.save_model(small, target / "openvino_model.xml", compress_to_fp16=False)
    model.config.save_pretrained(target)
    tokenizer.save_pretrained(target)


if __name__ == "__main__":
    given = json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))
    main(Path(sys.argv[1]), given, Path(sys.argv[3]))
