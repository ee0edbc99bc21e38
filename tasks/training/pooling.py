"""Classifiers that read the mean of a text's last hidden states in place of its first token's.

The mean is what sentence embeddings are made of (Reimers & Gurevych 2019): encoders that were
trained for those say more by it than by their first token. What comes after is what the family
has, pooler or head, with its own weights.

The configuration keeps `nightshift_pooling: mean`, and `architectures` names the class here. A
plain `AutoModelForSequenceClassification` goes by the model's type and would read the first token:
`tasks.training.classifier.load_finetuned` is what loads such a folder.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers import (
    BertForSequenceClassification,
    CamembertForSequenceClassification,
    DistilBertForSequenceClassification,
    ElectraForSequenceClassification,
    RobertaForSequenceClassification,
    XLMRobertaForSequenceClassification,
)
from transformers.modeling_outputs import SequenceClassifierOutput

from tasks.stage.errors import BadInput

KEY = "nightshift_pooling"
"""Where a configuration says that it is the mean."""

Tensor = torch.Tensor


def mean(states: Tensor, mask: Tensor | None) -> Tensor:
    """The mean over a text's tokens, special ones included: [b, t, d] and 1s [b, t] -> [b, d]."""
    if mask is None:
        return states.mean(1)
    weights = mask.to(states.dtype)[..., None]
    return (states * weights).sum(1) / weights.sum(1)


def read_by_head(model: nn.Module, states: Tensor, mask: Tensor) -> Tensor:
    """What a classifier's head reads of the last hidden states: [b, t, d] -> [b, d]."""
    return mean(states, mask) if isinstance(model, ReadsMean) else states[:, 0]


class ReadsMean:
    """What the classes below have in common: how they answer."""

    def _answer(self, base: Any, mask: Tensor | None, inputs: dict[str, Any]) -> Any:
        inputs.pop("labels", None)
        inputs.pop("return_dict", None)
        output = base(attention_mask=mask, return_dict=True, **inputs)
        # heads look at the first token: there is but one for them, the mean
        logits = self._head(mean(output[0], mask)[:, None])
        return SequenceClassifierOutput(
            logits=logits, hidden_states=output.hidden_states, attentions=output.attentions
        )

    def _head(self, states: Tensor) -> Tensor:
        """Logits from states [b, 1, d]."""
        logits: Tensor = self.classifier(states)  # type: ignore[attr-defined]
        return logits


class MeanBertForSequenceClassification(ReadsMean, BertForSequenceClassification):  # type: ignore[no-untyped-call]
    """BERT, the pooler after the mean."""

    def forward(
        self, input_ids: Tensor | None = None, attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None, **inputs: Any,
    ) -> Any:  # fmt: skip
        inputs |= {"input_ids": input_ids, "token_type_ids": token_type_ids}
        return self._answer(self.bert, attention_mask, inputs)

    def _head(self, states: Tensor) -> Tensor:
        pooler: Any = self.bert.pooler
        logits: Tensor = self.classifier(self.dropout(pooler(states)))
        return logits


class MeanElectraForSequenceClassification(ReadsMean, ElectraForSequenceClassification):  # type: ignore[no-untyped-call]
    """ELECTRA."""

    def forward(
        self, input_ids: Tensor | None = None, attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None, **inputs: Any,
    ) -> Any:  # fmt: skip
        inputs |= {"input_ids": input_ids, "token_type_ids": token_type_ids}
        return self._answer(self.electra, attention_mask, inputs)


class _Roberta(ReadsMean):
    def forward(
        self, input_ids: Tensor | None = None, attention_mask: Tensor | None = None, **inputs: Any
    ) -> Any:
        base = self.roberta  # type: ignore[attr-defined]
        return self._answer(base, attention_mask, inputs | {"input_ids": input_ids})


class MeanRobertaForSequenceClassification(_Roberta, RobertaForSequenceClassification):  # type: ignore[no-untyped-call]
    """RoBERTa."""


class MeanXLMRobertaForSequenceClassification(_Roberta, XLMRobertaForSequenceClassification):  # type: ignore[no-untyped-call]
    """XLM-RoBERTa."""


class MeanCamembertForSequenceClassification(_Roberta, CamembertForSequenceClassification):  # type: ignore[no-untyped-call]
    """CamemBERT."""


class MeanDistilBertForSequenceClassification(ReadsMean, DistilBertForSequenceClassification):  # type: ignore[no-untyped-call]
    """DistilBERT."""

    def forward(
        self, input_ids: Tensor | None = None, attention_mask: Tensor | None = None, **inputs: Any
    ) -> Any:
        return self._answer(self.distilbert, attention_mask, inputs | {"input_ids": input_ids})

    def _head(self, states: Tensor) -> Tensor:
        hidden = nn.functional.relu(self.pre_classifier(states[:, 0]))
        logits: Tensor = self.classifier(self.dropout(hidden))
        return logits


_KINDS = {
    "bert": MeanBertForSequenceClassification,
    "roberta": MeanRobertaForSequenceClassification,
    "xlm-roberta": MeanXLMRobertaForSequenceClassification,
    "camembert": MeanCamembertForSequenceClassification,
    "electra": MeanElectraForSequenceClassification,
    "distilbert": MeanDistilBertForSequenceClassification,
}
"""By `config.model_type`."""


def pooled(model: nn.Module, how: str) -> nn.Module:
    """The model, in place, reading as `how` says: by its first token (cls) or the mean.

    Its weights and their names stay. The model must be one that `check_pooling` lets through.
    """
    config: Any = model.config
    if how == "mean":
        model.__class__ = _KINDS[config.model_type]
        setattr(config, KEY, how)
    return model


def check_pooling(how: str, model_type: str, per_token: bool) -> None:
    """Raises BadInput where it is to be the mean and the task labels tokens, not texts, and for a
    family that is not among those here."""
    if how == "mean" and per_token:
        raise BadInput(
            "params.yaml: finetune.pooling: got 'mean'; takes cls: a task labels tokens, and every "
            "token is read by itself"
        )
    if how == "mean" and model_type not in _KINDS:
        raise BadInput(
            f"params.yaml: finetune.pooling: got 'mean'; takes cls: for {model_type} models it is "
            f"not known how; it is for {', '.join(_KINDS)}"
        )


def pooling_of(config: Any) -> str:
    """How a configuration's model reads a text: cls or mean."""
    return str(getattr(config, KEY, "cls"))
