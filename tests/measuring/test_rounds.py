from __future__ import annotations

from collections.abc import Sequence

from tasks.measuring.contender import Answer, Text
from tasks.measuring.rounds import (
    CHARACTERS_ALONE,
    CHARACTERS_TOGETHER,
    ROUNDS_TOGETHER,
    TEXTS_TOGETHER,
    race,
    schedule,
)

NAMES = ["pipeline", "fp32", "int8", "small"]
TEXTS = [f"text {i}" for i in range(50)]


def test_every_round_has_everybody_once_in_another_order() -> None:
    turns = schedule(NAMES, TEXTS, rounds=5, single=10, seed=1)
    orders = [[turn.name for turn in turns if turn.round == number] for number in range(5)]

    assert [turn.round for turn in turns] == sorted(turn.round for turn in turns)
    assert all(sorted(order) == sorted(NAMES) for order in orders)
    assert len({tuple(order) for order in orders}) > 1


def test_in_a_round_all_get_the_same_texts_and_in_the_next_others() -> None:
    turns = schedule(NAMES, TEXTS, rounds=2, single=10, seed=1)
    first, second = ([t for t in turns if t.round == number] for number in range(2))

    assert all(turn.single == first[0].single for turn in first)
    assert len(first[0].single) == 10
    assert first[0].single != second[0].single
    assert sorted(first[0].together) == sorted(second[0].together) == sorted(TEXTS)
    assert first[0].together != second[0].together


def test_the_same_seed_gives_the_same_turns() -> None:
    assert schedule(NAMES, TEXTS, 3, 5, seed=1) == schedule(NAMES, TEXTS, 3, 5, seed=1)
    assert schedule(NAMES, TEXTS, 3, 5, seed=1) != schedule(NAMES, TEXTS, 3, 5, seed=2)


def test_throughput_is_bounded_in_texts_and_rounds() -> None:
    many = [str(i) for i in range(TEXTS_TOGETHER + 1)]
    turns = schedule(["one"], many, ROUNDS_TOGETHER + 2, 5, seed=0)

    sizes = [len(turn.together) for turn in turns]
    assert sizes == [TEXTS_TOGETHER] * ROUNDS_TOGETHER + [0, 0]


def test_of_long_texts_fewer_are_asked_at_once_but_never_none() -> None:
    half = "x" * (CHARACTERS_TOGETHER // 2)
    texts: dict[str, Text] = {"half": half, "pair": (half, half), "more": half * 3}
    sizes = {
        length: len(schedule(["one"], [text] * 9, rounds=1, single=1, seed=1)[0].together)
        for length, text in texts.items()
    }
    assert sizes == {"half": 2, "pair": 1, "more": 1}


def test_of_long_texts_fewer_are_asked_one_at_a_time() -> None:
    lengths = (1, 2, 6)
    texts = ["x" * (length * CHARACTERS_ALONE // 9) for length in lengths] * 3
    turns = schedule(["one"], texts, rounds=5, single=8, seed=1)
    assert [len(turn.single) for turn in turns] == [3] * 5
    assert len(schedule(["one"], ["x" * CHARACTERS_ALONE * 2], 1, 8, seed=1)[0].single) == 1


class Recorder:
    """A contender that notes when it is asked, and takes a known time."""

    def __init__(self, name: str, log: list[str], seconds: float) -> None:
        self.name, self.log, self.seconds = name, log, seconds

    def each(self, texts: Sequence[Text]) -> tuple[list[float], list[Answer]]:
        self.log.append(self.name)
        return [self.seconds] * len(texts), [("good", 1.0)] * len(texts)

    def together(self, texts: Sequence[Text], batch: int) -> tuple[float, list[Answer]]:
        return self.seconds * len(texts) / batch, [("good", 1.0)] * len(texts)


def test_a_race_keeps_every_sample_in_the_order_of_the_turns() -> None:
    log: list[str] = []
    turns = schedule(["fast", "slow"], TEXTS, rounds=4, single=3, seed=0)
    found = race({"fast": Recorder("fast", log, 1), "slow": Recorder("slow", log, 2)}, turns, 4)

    assert log == [turn.name for turn in turns]
    assert found["fast"].latency == [[1, 1, 1]] * 4
    assert found["slow"].latency == [[2, 2, 2]] * 4
    assert found["fast"].throughput == [4.0] * ROUNDS_TOGETHER
    assert found["slow"].throughput == [2.0] * ROUNDS_TOGETHER
