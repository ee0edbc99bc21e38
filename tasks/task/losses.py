"""Losses over classes, shared by the kinds of task."""

from __future__ import annotations

import torch
from torch import nn

from tasks.task.answers import IGNORED
from tasks.task.base import Shaping


def cross_entropy(logits: torch.Tensor, targets: torch.Tensor, shaping: Shaping) -> torch.Tensor:
    """Of exclusive classes: logits [n, classes], targets int64 [n] -> [n], 0 where IGNORED."""
    weights = None if shaping.weights is None else logits.new_tensor(shaping.weights).float()
    loss = nn.functional.cross_entropy(
        logits.float(), targets, weights, ignore_index=IGNORED, reduction="none",
        label_smoothing=shaping.label_smoothing,
    )  # fmt: skip
    if shaping.focal:
        taken = targets.clamp(min=0).unsqueeze(-1)
        sure = logits.float().softmax(-1).gather(-1, taken).squeeze(-1)
        loss = loss * (1 - sure) ** shaping.focal
    return loss


def binary_cross_entropy(
    logits: torch.Tensor, targets: torch.Tensor, shaping: Shaping
) -> torch.Tensor:
    """Of classes that don't exclude each other: both [n, classes], targets 0 or 1 -> [n].

    Smoothing moves every target towards a half; a class's weight counts where it holds.
    """
    logits = logits.float()
    smooth = targets * (1 - shaping.label_smoothing) + shaping.label_smoothing / 2
    weights = None if shaping.weights is None else logits.new_tensor(shaping.weights)
    loss = nn.functional.binary_cross_entropy_with_logits(
        logits, smooth, pos_weight=weights, reduction="none"
    )
    if shaping.focal:
        sure = torch.where(targets > 0.5, logits, -logits).sigmoid()
        loss = loss * (1 - sure) ** shaping.focal
    return loss.mean(-1)


def softened(student: torch.Tensor, teacher: torch.Tensor, temperature: float) -> torch.Tensor:
    """KL divergence of class probabilities, both [..., classes] -> [...], times temperature²."""
    t = temperature
    found = nn.functional.kl_div(
        (student.float() / t).log_softmax(-1),
        (teacher.float() / t).log_softmax(-1),
        log_target=True,
        reduction="none",
    )
    return t * t * found.sum(-1)
