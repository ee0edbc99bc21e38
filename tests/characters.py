"""An encoder for Chinese out of an English one: its layers, with characters in place of its words.

No Chinese encoder comes as a package with weights in it. The layers of the English one know how to
mix what tokens say; what the new characters say is learnt from the texts by `finetune.adapt` and
`finetune`. It stands in for a real Chinese encoder, and is no match for one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
LEAST = 2
"""Times a character must stand in the texts to be a token."""


def make_encoder(base: Path, texts: Iterable[str], folder: Path, seed: int = 17) -> Path:
    """A `save_pretrained` folder with the layers of the BERT in `base`, and tokens of `texts`.

    Tokens are the old vocabulary's as far as the texts have them, and every other character that
    stands there twice. The old ones keep their embeddings; those of the others are drawn with the
    old ones' mean and deviation, dimension by dimension.
    """
    from transformers import AutoConfig, AutoModel, AutoTokenizer

    old = AutoTokenizer.from_pretrained(base)
    vocabulary = _vocabulary(old, texts)
    model = AutoModel.from_pretrained(base)
    weights = model.state_dict()
    name = "embeddings.word_embeddings.weight"
    weights[name] = _embeddings(weights[name], vocabulary, old.get_vocab(), seed)
    config = AutoConfig.from_pretrained(base)
    config.vocab_size, config.pad_token_id = len(vocabulary), vocabulary["[PAD]"]
    new = AutoModel.from_config(config)  # type: ignore[no-untyped-call]
    new.load_state_dict(weights)
    new.save_pretrained(folder)
    _tokenizer(vocabulary, old.model_max_length).save_pretrained(folder)
    return folder


def _vocabulary(old: Any, texts: Iterable[str]) -> dict[str, int]:
    normalizer, splitter = _normalizer(), _splitter()
    words = Counter(
        word
        for text in texts
        for word, _ in splitter.pre_tokenize_str(normalizer.normalize_str(text))
    )
    known: set[str] = set()
    for word in words:
        known.update(old.tokenize(word))
    new = {word for word, times in words.items() if len(word) == 1 and times >= LEAST} - known
    tokens = [*SPECIAL, *sorted(known - {*SPECIAL}), *sorted(new)]
    return {token: at for at, token in enumerate(tokens)}


def _embeddings(old: Any, vocabulary: dict[str, int], places: dict[str, int], seed: int) -> Any:
    """float32 [tokens, dimensions]."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randn(len(vocabulary), old.shape[1], generator=generator)
    found = old.mean(0) + drawn * old.std(0)
    for token, at in vocabulary.items():
        if token in places:
            found[at] = old[places[token]]
    return found


def _tokenizer(vocabulary: dict[str, int], max_length: int) -> Any:
    from tokenizers import Tokenizer, models, processors
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer, tokenizer.pre_tokenizer = _normalizer(), _splitter()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(token, vocabulary[token]) for token in ("[CLS]", "[SEP]")],
    )
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        model_max_length=max_length,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    )


def _normalizer() -> Any:
    """Full width becomes half width, so that figures, letters and commas are the old tokens."""
    from tokenizers import normalizers

    return normalizers.Sequence([normalizers.NFKC(), normalizers.BertNormalizer(lowercase=True)])


def _splitter() -> Any:
    """Every Chinese character is a word: the normalizer puts spaces around it."""
    from tokenizers import pre_tokenizers

    return pre_tokenizers.BertPreTokenizer()
