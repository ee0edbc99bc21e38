"""What a shape takes is fitted to what some take."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.compression.families import family_of
from tasks.params.export import Export
from tasks.shaping.table import Shape, Table, looked_at, measured
from tasks.training.classifier import load_tokenizer
from tests.training.made import make_parts

WHOLE = Shape(6, 12, 1536)


def ms(shape: Shape) -> float:
    """A fixed part, a last layer that is cheaper than the others, and the others."""
    last = 0.02 + 0.002 * shape.heads
    return 0.1 + last + (shape.layers - 1) * (0.05 + 0.004 * shape.heads + 5e-5 * shape.neurons)


def table() -> Table:
    return Table.of({shape: ms(shape) for shape in looked_at(WHOLE)})


@pytest.mark.parametrize("shape", [WHOLE, Shape(4, 8, 691), Shape(1, 12, 1536), Shape(2, 3, 100)])
def test_a_shape_that_was_not_measured_takes_what_its_parts_take(shape: Shape) -> None:
    assert table().ms(shape) == pytest.approx(ms(shape), rel=1e-6)
    assert table().off() < 1e-6


def test_how_far_off_the_fit_is_is_told() -> None:
    times = {shape: ms(shape) for shape in looked_at(WHOLE)}
    times[WHOLE] *= 1.3
    assert 0.05 < Table.of(times).off() < 0.3


def test_no_part_takes_less_than_nothing() -> None:
    """A machine that was disturbed while it measured the narrow ones."""
    times = {shape: 2.0 if shape == WHOLE else 3.0 for shape in looked_at(WHOLE)}
    assert (Table.of(times).weights >= 0).all()


def test_the_widest_of_a_time_takes_that_time() -> None:
    found = table()
    neurons = found.widest(4, 8, WHOLE.neurons, 0.45)
    assert 0 < neurons < WHOLE.neurons
    assert found.ms(Shape(4, 8, neurons)) <= 0.45 < found.ms(Shape(4, 8, neurons + 1))
    assert found.widest(2, 8, WHOLE.neurons, 0.45) == WHOLE.neurons, "it has no more"
    assert found.widest(6, 12, WHOLE.neurons, 0.2) == 0, "not even without neurons"


def test_half_of_each_is_looked_at_and_each_once() -> None:
    found = looked_at(WHOLE)
    assert WHOLE in found
    for half in (Shape(3, 12, 1536), Shape(6, 12, 768), Shape(6, 6, 1536)):
        assert half in found
    assert looked_at(Shape(1, 1, 1)) == [Shape(1, 1, 1)]


def test_shapes_are_measured_as_they_would_be_exported(tmp_path: Path, tiny_model: Path) -> None:
    model = make_parts(tiny_model).model
    family = family_of(model)
    assert family is not None
    lines: list[str] = []
    shapes = [Shape(4, 4, 64), Shape(1, 1, 6)]
    found = measured(
        model, family, load_tokenizer(tiny_model, 32), shapes, ["good film", "bad"],
        Export(threads=1), tmp_path / "work", lines.append,
    )  # fmt: skip
    assert list(found) == shapes
    assert found[shapes[0]] > found[shapes[1]] > 0, "four layers against one"
    assert lines[0].startswith("4 layers of 64 neurons and 4 heads: 0.")
    assert not (tmp_path / "work").exists()
    assert len(family.layers_of(model)) == 4, "the model stays whole"
