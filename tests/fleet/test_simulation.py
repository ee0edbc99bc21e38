"""The simulation's own logic, on cases that one can work out by hand."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from tests.fleet.night import SHIPPING, Step, begun_first, steps
from tests.fleet.simulation import (
    RETRIES,
    RETRY_SECONDS,
    Attempt,
    Installation,
    Load,
    Night,
    simulate,
)
from tests.made import ROOT

CHAIN = {
    "one": Step("one", "cpu", "small", (), 1),
    "two": Step("two", "train", "large", ("one",), 2),
    "three": Step("three", "cpu", "small", ("two",), 3),
}
PLACE = Installation(
    pools={"small": 1, "large": 1},
    workers={"cpu": 1, "train": 1},
    parallelism=100,
    notice=0.0,
    start=0.0,
    hold=0.0,
    rate=1e9,
)
SECONDS = {"one": 10.0, "two": 30.0, "three": 5.0}


def fixed(_: str, task: str, __: random.Random) -> float:
    return SECONDS[task]


def load(count: int, **more: Any) -> Load:
    return Load({f"m{number}": 0.0 for number in range(count)}, fixed, **more)


def spans(night: Night) -> list[tuple[str, str, float, float]]:
    return [(a.model, a.task, round(a.began, 3), round(a.ended, 3)) for a in night.attempts]


def test_one_model_alone_takes_the_sum_of_its_tasks() -> None:
    night = simulate(CHAIN, PLACE, load(1))
    assert spans(night) == [("m0", "one", 0, 10), ("m0", "two", 10, 40), ("m0", "three", 40, 45)]
    assert night.makespan == pytest.approx(45)


def test_two_models_share_a_slot_and_the_one_that_is_farther_goes_first() -> None:
    """m0 trains from 10 to 40 and m1 after it; meanwhile the small slot is theirs by turns."""
    night = simulate(CHAIN, PLACE, load(2))
    assert sorted(spans(night), key=lambda span: (span[2], span[0])) == [
        ("m0", "one", 0, 10),
        ("m0", "two", 10, 40),
        ("m1", "one", 10, 20),
        ("m0", "three", 40, 45),
        ("m1", "two", 40, 70),
        ("m1", "three", 70, 75),
    ]


def test_what_was_begun_is_finished_before_more_is_begun() -> None:
    quick = {**SECONDS, "two": 1.0}
    night = simulate(CHAIN, PLACE, replace(load(3), duration=lambda _, task, __: quick[task]))
    first = {a.model: a.began for a in night.attempts if a.task == "one"}
    assert night.ends()[0] < first["m2"], "the first is over before the last begins"


def test_with_airflows_own_rule_all_are_begun_before_one_is_finished() -> None:
    night = simulate(begun_first(CHAIN), PLACE, load(3))
    first = [a.model for a in night.attempts if a.task == "one"]
    assert [a.model for a in night.attempts if a.began < 30 and a.task == "one"] == first
    assert {name: step.weight for name, step in begun_first(CHAIN).items()} == {
        "one": 3, "two": 2, "three": 1
    }  # fmt: skip


def test_a_notice_and_a_start_are_paid_for_every_task() -> None:
    night = simulate(CHAIN, replace(PLACE, notice=2.0, start=0.5), load(1))
    assert night.makespan == pytest.approx(45 + 3 * 0.5 + 2 * 2.0)


def test_a_worker_that_is_held_after_a_task_delays_the_next_one_of_its_queue() -> None:
    """Nobody waits for m0's trainer but m1, whose training could begin at 40."""
    night = simulate(CHAIN, replace(PLACE, hold=4.0), load(2))
    began = {(a.model, a.task): a.began for a in night.attempts}
    found = (began["m0", "two"], began["m1", "one"], began["m1", "two"])
    assert found == pytest.approx((10, 14, 44))


def test_the_scheduler_dispatches_no_faster_than_its_rate() -> None:
    wide = replace(PLACE, pools={"small": 9, "large": 9}, workers={"cpu": 9, "train": 9}, rate=0.5)
    night = simulate(CHAIN, wide, load(4))
    queued = sorted(a.queued for a in night.attempts)
    assert queued[:4] == pytest.approx([2, 4, 6, 8])
    assert night.busiest(2.0) == 1


def test_pool_slots_beyond_the_workers_wait_in_the_queue_in_the_order_they_came() -> None:
    night = simulate(CHAIN, replace(PLACE, pools={"small": 3, "large": 1}), load(3))
    ones = [a for a in night.attempts if a.task == "one"]
    assert [(a.model, round(a.queued), round(a.began)) for a in ones[:2]] == [
        ("m0", 0, 0), ("m1", 0, 10)
    ]  # fmt: skip


def test_parallelism_holds_back_what_pools_and_workers_would_take() -> None:
    wide = replace(PLACE, pools={"small": 9, "large": 9}, workers={"cpu": 9, "train": 9})
    assert simulate(CHAIN, wide, load(6)).makespan == pytest.approx(45)
    assert simulate(CHAIN, replace(wide, parallelism=1), load(6)).makespan == pytest.approx(270)


def test_a_task_that_fails_is_tried_again_later_and_later_and_then_the_night_ends() -> None:
    real = steps(ROOT)
    place = replace(
        PLACE,
        pools={"nightshift_cpu": 1, "nightshift_train": 1},
        workers={"cpu": 1, "train": 1, "publish": 1},
    )
    broken = Load({"m": 0.0}, lambda *_: 1.0, failures=1.0)
    night = simulate(real, place, broken)
    prepares = [a for a in night.attempts if a.task == "prepare"]
    assert [a.number for a in prepares] == list(range(1, RETRIES + 2))
    assert all(a.ended <= a.began + 1.0 for a in prepares)
    gaps = [after.began - one.ended for one, after in pairwise(prepares)]
    assert gaps == pytest.approx(RETRY_SECONDS)
    assert set(night.count()) == {"prepare", "announce", "cleanup"}
    assert night.failed[0] == "m"


def test_a_refused_candidate_skips_what_would_ship_it() -> None:
    real = steps(ROOT)
    place = replace(
        PLACE,
        pools={"nightshift_cpu": 4, "nightshift_train": 4},
        workers={"cpu": 4, "train": 4, "publish": 4},
    )
    refused = Load({"m": 0.0}, lambda *_: 1.0, refused=1.0)
    assert set(simulate(real, place, refused).count()) == set(real) - set(SHIPPING)


def random_night(place: Installation, failures: float = 0.05) -> tuple[Night, dict[str, Step]]:
    real = steps(ROOT)
    starts = {f"m{number}": float(number % 7) for number in range(40)}
    long = {"finetune": 300.0, "prune": 400.0, "benchmark": 90.0}
    drawn = Load(
        starts,
        lambda _, task, chance: long.get(task, 20.0) * chance.uniform(0.5, 2.0),
        failures=failures,
        refused=0.2,
    )
    return simulate(real, place, drawn), real


def installation(cpu: int, train: int) -> Installation:
    return Installation(
        pools={"nightshift_cpu": cpu + 1, "nightshift_train": train},
        workers={"cpu": cpu, "publish": 1, "train": train},
        parallelism=1000,
        notice=0.7,
        start=0.1,
        hold=0.0,
        rate=20.0,
    )


def overlapping(attempts: list[Attempt]) -> int:
    """The most that ran at the same time; one that ends as another begins is over."""
    edges = sorted([(a.began, 1) for a in attempts] + [(a.ended, -1) for a in attempts])
    most = now = 0
    for _, change in edges:
        now += change
        most = max(most, now)
    return most


def test_nothing_is_lost_nothing_runs_twice_and_no_limit_is_broken() -> None:
    place = installation(3, 2)
    night, real = random_night(place)
    wanted = {(f"m{n}", task) for n in range(40) for task in real if task not in SHIPPING}
    ran = {(a.model, a.task) for a in night.attempts}
    dead = {model for model, task in wanted - ran}
    assert dead <= set(night.failed)
    assert len({(a.model, a.task, a.number) for a in night.attempts}) == len(night.attempts)
    for queue, workers in place.workers.items():
        mine = [a for a in night.attempts if real[a.task].queue == queue]
        assert overlapping(mine) <= workers, queue
    for each in night.attempts:
        assert each.ready <= each.queued <= each.began <= each.ended
    ends = {(a.model, a.task): a.ended for a in sorted(night.attempts, key=lambda a: a.ended)}
    for each in night.attempts:
        for before in real[each.task].after:
            if (each.model, before) in ends:
                assert ends[each.model, before] <= each.began


def test_the_same_seed_gives_the_same_night_and_another_one_another() -> None:
    one, _ = random_night(installation(3, 2))
    same, _ = random_night(installation(3, 2))
    assert one.attempts == same.attempts
    assert random_night(installation(4, 2))[0].attempts != one.attempts


def test_more_workers_make_no_night_longer() -> None:
    makespans = [random_night(installation(3, n), 0.0)[0].makespan for n in (1, 2, 3, 5, 8)]
    assert makespans == sorted(makespans, reverse=True)
    assert makespans[0] > 2 * makespans[2]
    makespans = [random_night(installation(n, 4), 0.0)[0].makespan for n in (1, 2, 3, 5, 8)]
    assert makespans == sorted(makespans, reverse=True)


def test_a_single_worker_of_a_queue_is_busy_all_the_time_that_it_can_be() -> None:
    """The train queue's work divided by its workers is a lower bound, and nearly met."""
    night, real = random_night(installation(40, 2), 0.0)
    work = sum(a.ended - a.began for a in night.attempts if real[a.task].queue == "train")
    assert work / 2 < night.makespan < 1.15 * work / 2


def test_the_steps_are_those_of_the_dag() -> None:
    from dags.nightly_retraining import dag

    found = steps(ROOT)
    assert set(found) == set(dag.task_ids)
    for name, step in found.items():
        task = dag.get_task(name)
        assert (task.queue, task.pool) == (step.queue, step.pool)
        assert set(step.after) == task.upstream_task_ids - (
            {"prepare"} if name in ("announce", "cleanup") else set()
        )
        assert step.weight == 1 + len(task.get_flat_relative_ids(upstream=True))
        assert (task.retries, task.weight_rule) == (RETRIES, "upstream")
    assert dag.default_args["retry_delay"].total_seconds() == RETRY_SECONDS[0]
