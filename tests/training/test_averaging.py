from __future__ import annotations

import torch
from torch import nn

from tasks.training.averaging import Average


def line(weight: float) -> nn.Linear:
    model = nn.Linear(1, 1, bias=False)
    nn.init.constant_(model.weight, weight)
    return model


def test_newer_weights_count_more() -> None:
    model = line(0.0)
    average = Average(model, decay=0.5)
    for weight in (1.0, 2.0, 3.0):
        nn.init.constant_(model.weight, weight)
        average.after_step()
    # decays 2/11, 3/12, 4/13: the first steps forget the beginning sooner than `decay` would
    by_hand = 0.0
    for weight, decay in ((1.0, 2 / 11), (2.0, 3 / 12), (3.0, 4 / 13)):
        by_hand = decay * by_hand + (1 - decay) * weight
    assert average.average["weight"].item() == torch.tensor(by_hand).item()


def test_with_many_steps_the_decay_is_the_one_asked_for() -> None:
    model = line(1.0)
    average = Average(model, decay=0.9)
    average.steps = 1000
    nn.init.constant_(model.weight, 2.0)
    average.after_step()
    torch.testing.assert_close(average.average["weight"].item(), 1.1)


def test_the_model_has_the_average_inside_the_block_alone() -> None:
    model = line(1.0)
    average = Average(model, decay=0.9)
    nn.init.constant_(model.weight, 5.0)
    with average.in_place():
        assert model.weight.item() == 1.0
    assert model.weight.item() == 5.0
    assert average.average["weight"].item() == 1.0


def test_what_is_frozen_is_not_averaged() -> None:
    model = nn.Sequential(line(1.0), line(2.0))
    model[0].requires_grad_(False)
    assert list(Average(model, decay=0.9).average) == ["1.weight"]
