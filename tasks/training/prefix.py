"""Prefix tuning: keys and values of their own, which every layer sees before those of the text.

After Li & Liang 2021, "Prefix-Tuning: Optimizing Continuous Prompts for Generation". They can't be
merged into a weight. They are parameters of the attention that they belong to, so that they are
saved, cut and exported with the rest of the model; and the text keeps its own positions.

`config.json` says `nightshift_prefix: N` tokens. A plain `from_pretrained` leaves them out:
`tasks.training.classifier.load_finetuned` is what loads such a folder.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import nn

from tasks.stage.errors import BadInput
from tasks.training.attention import attend, attention

KEY = "nightshift_prefix"
"""Where a configuration says how many tokens it has."""
SMALL = 0.02
"""Deviation of what a prefix starts as; at zero all its tokens would stay alike."""

Tensor = torch.Tensor


class Prefix(nn.Module):
    """What one attention sees before the text."""

    def __init__(self, keys: Tensor, values: Tensor) -> None:
        """Both [heads, tokens, dimensions]."""
        super().__init__()
        self.keys, self.values = nn.Parameter(keys), nn.Parameter(values)

    def before(self, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """A text's keys and values [b, heads, t, d], those of the prefix in front of them."""
        return self._in_front(self.keys, key), self._in_front(self.values, value)

    @staticmethod
    def _in_front(own: Tensor, texts: Tensor) -> Tensor:
        return torch.cat([own.to(texts.dtype).expand(len(texts), -1, -1, -1), texts], dim=2)


def with_prefix(model: nn.Module, tokens: int) -> nn.Module:
    """The model, in place, with a prefix of so many tokens in every layer, which alone is trained.

    It starts near zero, saying nearly nothing (after LLaMA-Adapter, Zhang et al. 2023): keys and
    values of random words, as its authors take them, may say what is hard to unlearn.
    Raises BadInput for a family whose attention doesn't go through transformers' interface.
    """
    config: Any = model.config
    seen = _seen(model, torch.zeros(1, tokens, dtype=torch.long))
    if not seen:
        raise BadInput(
            "params.yaml: finetune.adapter.method: got 'prefix'; takes lora, adalora or ia3: "
            f"{config.model_type} models have an attention of their own"
        )
    model.requires_grad_(False)
    for module, (keys, values) in seen.items():
        module.prefix = Prefix(keys, values)
    setattr(config, KEY, tokens)
    return model


def read_prefix(model: nn.Module, folder: Path) -> nn.Module:
    """The model, in place, with the prefixes that its folder has; without any, as it is."""
    if not hasattr(model.config, KEY):
        return model
    found: dict[str, Tensor] = {}
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, "pt") as file:
            names = [name for name in file.keys() if ".prefix." in name]  # noqa: SIM118 - no dict
            found |= {name: file.get_tensor(name) for name in names}
    for name in found:
        if name.endswith(".prefix.keys"):
            place = name.removesuffix(".prefix.keys")
            prefix = Prefix(found[name], found[f"{place}.prefix.values"])
            model.get_submodule(place).prefix = prefix
    attend(model)
    return model


def _seen(model: Any, text: Tensor) -> dict[nn.Module, tuple[Tensor, Tensor]]:
    """Small noise in the shape of the keys and values of a text [1, t], by what attends to them."""
    found: dict[nn.Module, tuple[Tensor, Tensor]] = {}

    def listen(
        module: nn.Module, query: Tensor, key: Tensor, value: Tensor, *rest: Any, **how: Any
    ) -> tuple[Tensor, Tensor]:
        found[module] = SMALL * torch.randn_like(key[0]), SMALL * torch.randn_like(value[0])
        return attention(module, query, key, value, *rest, **how)

    attend(model, listen)
    training = model.training
    with torch.no_grad():
        model.eval()(input_ids=text)
    model.train(training)
    attend(model)
    return found
