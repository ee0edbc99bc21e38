"""Where texts should leave a model early, and how sure they have to be."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.compression.leaving import can_tell, cheapest, choose, layers_run, places
from tasks.training.early import NEVER, Leaving


def test_it_is_asked_where_that_can_spare_a_layer() -> None:
    found = {layers: places(layers) for layers in (1, 2, 3, 4, 6, 12)}
    assert found == {
        1: [], 2: [], 3: [1], 4: [1, 2], 6: [1, 2, 3, 4], 12: [1, 2, 3, 4, 6, 8],
    }  # fmt: skip


def logits(sure: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """Of two classes, `answers` said with the probability `sure`."""
    odds = np.log(sure / (1 - sure))
    found = np.zeros((len(sure), 2), np.float32)
    found[np.arange(len(sure)), answers] = odds
    return found


def test_no_more_texts_are_answered_otherwise_than_allowed() -> None:
    """The surer the rarer wrong: what leaves is all that is surer than the text too many."""
    count = 999
    sure = np.linspace(0.99, 0.51, count)
    answers, told = np.zeros(count, int), np.zeros(count, int)
    told[[300, 500, 600, 700]] = 1  # where all layers say otherwise
    full, early = logits(np.full(count, 0.9), told), {1: logits(sure, answers)}
    shares = {percent: choose(full, early, percent)[0] for percent in (0.05, 0.1, 0.2, 0.3, 100)}
    assert (shares[0.05].certainty, shares[0.05].share) == (NEVER, 0), "one is counted unseen"
    assert shares[0.1].share == pytest.approx(300 / count)
    assert sure[300] < shares[0.1].certainty < sure[299]
    assert shares[0.2].share == pytest.approx(500 / count)
    assert shares[0.3].share == pytest.approx(600 / count)
    assert shares[100].share > 0.99


def test_what_one_place_leaves_over_the_next_one_may_use() -> None:
    count = 999
    sure, told = np.linspace(0.99, 0.51, count), np.zeros(count, int)
    unsure = logits(np.linspace(0.99, 0.51, count), np.ones(count, int))
    told[[400, 450]] = 1
    full = logits(np.full(count, 0.9), told)
    alone = choose(full, {2: logits(sure, np.zeros(count, int))}, 0.2)
    found = choose(full, {1: unsure, 2: logits(sure, np.zeros(count, int))}, 0.2)
    assert (found[0].certainty, found[0].share) == (NEVER, 0)
    assert found[1] == alone[0]
    assert found[1].share == pytest.approx(450 / count)


def test_too_few_texts_let_none_leave() -> None:
    same = logits(np.linspace(0.99, 0.6, 100), np.zeros(100, int))
    assert not can_tell(100, 0.5)
    assert can_tell(100, 1.0)
    assert choose(same, {1: same}, 0.5)[0].share == 0, "1 in 101 is more than that"
    assert choose(same, {1: same}, 1.0)[0].share > 0.9


def test_a_text_runs_what_comes_before_it_leaves_and_is_asked_on_the_way() -> None:
    some = [Leaving(1, 0.9, 0.5), Leaving(4, 0.8, 0.25)]
    assert layers_run([], 6, 0.4) == pytest.approx(5.4)
    assert layers_run(some, 6, 0.4) == pytest.approx(1.4 + 0.5 * 3.4 + 0.25 * 1.4)


def test_a_place_at_which_few_leave_is_left_out_and_its_part_goes_to_the_others() -> None:
    count = 999
    answers = np.zeros(count, int)
    hopeless = logits(np.linspace(0.99, 0.51, count), np.ones(count, int))
    sure = logits(np.linspace(0.99, 0.51, count), answers)
    told = answers.copy()
    told[[400, 450]] = 1
    full = logits(np.full(count, 0.9), told)
    early = {1: hopeless, 2: sure}
    found = cheapest(full, early, 0.2, 6, 0.4)
    assert found == choose(full, {2: sure}, 0.2)
    assert cheapest(full, {1: hopeless}, 0.2, 6, 0.4) == []
    right = logits(np.linspace(0.99, 0.51, count), told)
    assert [each.after for each in cheapest(full, {1: sure, 2: right}, 0.2, 6, 0.01)] == [1, 2]
    assert cheapest(full, {2: sure}, 0.2, 4, 1.0) == [], "asking costs what it spares"
