from __future__ import annotations

import numpy as np
import pytest
import torch

from tasks.training.adversarial import Adversary, attacked, shifted
from tasks.training.parts import embedding_of
from tests.training.made import Parts, cross_entropy

RADIUS = 0.3


def test_one_step_goes_as_far_as_the_radius_up_the_gradient() -> None:
    gradient = torch.tensor([[[3.0, 0.0], [0.0, 4.0]], [[0.0, 0.0], [0.0, 1e-8]]])
    reach = torch.tensor([2.0, 2.0]).view(2, 1, 1)
    delta = Adversary(radius=0.1).shift(gradient, torch.zeros_like(gradient), reach)
    torch.testing.assert_close(delta[0], torch.tensor([[1.2, 0.0], [0.0, 1.6]]))
    torch.testing.assert_close(delta[1], torch.tensor([[0.0, 0.0], [0.0, 2.0]]))


def test_the_radius_is_a_share_of_what_a_text_is_made_of_without_its_padding() -> None:
    embedded = torch.tensor([[[3.0, 0.0], [0.0, 4.0]], [[6.0, 8.0], [9.0, 9.0]]])
    gradient = torch.tensor([[[1.0, 0.0], [0.0, 2.0]], [[1.0, 1.0], [0.0, 0.0]]])
    reach = Adversary(radius=0.1).reach(embedded, gradient)
    torch.testing.assert_close(reach, torch.tensor([0.5, 1.0]).view(2, 1, 1))
    twice = Adversary(radius=0.1).reach(2 * embedded, gradient)
    torch.testing.assert_close(twice, 2 * reach)


def test_several_steps_stay_within_the_radius() -> None:
    adversary, delta = Adversary(radius=0.1, steps=3), torch.zeros(5, 7, 4)
    reach = torch.ones(5, 1, 1)
    for step in range(3):
        gradient = torch.randn(5, 7, 4, generator=torch.Generator().manual_seed(step))
        delta = adversary.shift(gradient, delta, reach)
        assert (delta.flatten(1).norm(dim=1) <= 1 + 1e-6).all()


def test_a_text_without_a_gradient_is_not_shifted() -> None:
    nothing, adversary = torch.zeros(2, 3, 4), Adversary(radius=1.0)
    reach = adversary.reach(torch.ones(2, 3, 4), nothing)
    assert (adversary.shift(nothing, nothing, reach) == 0).all()


def test_a_gradient_that_is_not_finite_is_not_hidden() -> None:
    gradient = torch.full((1, 2, 2), float("inf"))
    reach = torch.ones(1, 1, 1)
    assert Adversary(radius=1.0).shift(gradient, torch.zeros(1, 2, 2), reach).isnan().any()


@pytest.mark.parametrize("steps", [1, 3])
def test_the_shift_raises_the_loss_more_than_chance_does(parts: Parts, steps: int) -> None:
    model, rows = parts.model.eval(), np.arange(32)
    batch, embedding = parts.train.collate(rows), embedding_of(parts.model)

    def loss() -> torch.Tensor:
        return cross_entropy(model, batch, rows)

    with shifted(embedding) as shift:
        plain = loss()
    assert shift.delta is not None
    (gradient,) = torch.autograd.grad(plain, shift.delta)
    adversary = Adversary(RADIUS, steps)
    delta = attacked(adversary, embedding, shift.embedded, gradient, loss)
    reach = adversary.reach(shift.embedded, gradient)
    random = Adversary(RADIUS).shift(torch.randn_like(gradient), torch.zeros_like(gradient), reach)
    with torch.no_grad():
        with shifted(embedding, delta):
            worst = loss()
        with shifted(embedding, random):
            chance = loss()
        assert loss() == plain, "the shift is gone after its pass"
    assert worst > plain + 3 * abs(chance - plain)
    assert all(p.grad is None for p in model.parameters())
