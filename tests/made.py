"""What tests are made of: a small set of opinions, the environment of a command, tiny models."""

from __future__ import annotations

import csv
import itertools
import os
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent

GOOD = ["wonderful", "moving", "brilliant", "funny", "charming", "gripping", "tender", "superb"]
BAD = ["dull", "tedious", "clumsy", "boring", "shallow", "awful", "lifeless", "messy"]
THINGS = ["film", "plot", "cast", "script", "ending", "music", "pace", "camera", "story", "tone"]
FRAMES = [
    "the {thing} is {word}",
    "a {word} {thing} from the first minute to the last",
    "i found the {thing} {word} , and so did everybody else in the room",
    "{word} {thing} , what else is there to say",
]


def opinions() -> list[tuple[str, str]]:
    """640 texts and their labels, in an order that mixes both classes."""
    both = itertools.product(FRAMES, THINGS, zip(GOOD, BAD, strict=True))
    rows: list[tuple[str, str]] = []
    for frame, thing, (good, bad) in both:
        rows.append((frame.format(thing=thing, word=good), "good"))
        rows.append((frame.format(thing=thing, word=bad), "bad"))
    return rows


def write_csv(path: Path, rows: list[tuple[str, str]], header: tuple[str, str]) -> Path:
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def environment(**more: str) -> dict[str, str]:
    """The environment for a command of ours: no network, two threads, byte code written."""
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "2", "HF_HUB_OFFLINE": "1", **more}


SIZES: dict[str, Any] = {
    "vocab_size": 50,
    "hidden_size": 16,
    "num_attention_heads": 2,
    "num_hidden_layers": 4,
    "intermediate_size": 24,
    "max_position_embeddings": 40,
    "dim": 16,
    "n_heads": 2,
    "n_layers": 4,
    "hidden_dim": 24,
    "pad_token_id": 0,
}


def model_of(kind: str) -> Any:
    """An untrained classifier of a family: four layers of 24 neurons, 16 dimensions."""
    import torch
    from transformers import AutoConfig, AutoModelForSequenceClassification

    torch.manual_seed(0)
    known = AutoConfig.for_model(kind).to_dict()
    config = AutoConfig.for_model(kind, **{k: v for k, v in SIZES.items() if k in known})
    model = AutoModelForSequenceClassification.from_config(config)  # type: ignore[no-untyped-call]
    return model.eval()


def make_tiny_model(folder: Path) -> Path:
    """A BERT of four layers and 32 dimensions with random weights, and a tokenizer that fits."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    # Not trained: a trainer breaks ties by chance, and each run would have another vocabulary.
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    words = sorted({word for text, _ in opinions() for word in text.split()})
    letters = sorted(set("".join(words)))
    tokens = [*special, *letters, *(f"##{letter}" for letter in letters), *words]
    vocabulary = {token: index for index, token in enumerate(dict.fromkeys(tokens))}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.add_special_tokens(special)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    ).save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=32,
        num_hidden_layers=4,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=64,
    )
    BertModel(config).save_pretrained(folder)
    return folder
