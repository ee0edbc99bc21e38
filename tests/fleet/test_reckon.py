"""What a fleet needs, on a small one; and whether the docs say what the command prints."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace

import pytest

from tests.fleet.check import compare
from tests.fleet.measured import EARLIER, Both, Burst
from tests.fleet.reckon import PRICES, QUEUES, Fleet, Needs, fewest, ratios
from tests.fleet.simulation import simulate
from tests.made import ROOT

HOURS = 2.0


@pytest.fixture(scope="module")
def fleet() -> Fleet:
    return Fleet.of(40, "alike", Both.read(), Burst.read())


@pytest.fixture(scope="module")
def needs(fleet: Fleet) -> Needs:
    return Needs(fleet, *fewest(fleet, HOURS))


def test_the_simulation_is_close_to_the_night_that_was_measured() -> None:
    off = [each for each in compare(Both.read(), Both.read(EARLIER)) if not each.good]
    assert not off


def test_a_simulation_that_is_wrong_is_found_out() -> None:
    """With half the requests and a night that was over in half the time."""
    both = Both.read()
    fewer = [replace(each, count=each.count // 2) for each in both.alone.requests]
    early = [replace(s, ended=s.began + (s.ended - s.began) / 2) for s in both.together.spans]
    wrong = Both(replace(both.alone, requests=fewer), replace(both.together, spans=early))
    off = {each.what for each in compare(wrong, Both.read(EARLIER)) if not each.good}
    assert "counts: all requests" in off
    assert any(what.startswith("queueing") for what in off)


def test_the_night_is_over_in_time_and_with_fewer_workers_it_is_not(
    fleet: Fleet, needs: Needs
) -> None:
    assert needs.night.makespan <= 3600 * HOURS
    for queue in QUEUES:
        if needs.workers[queue] > 1:
            fewer = {**needs.workers, queue: needs.workers[queue] - 1}
            assert fleet.night(fewer).makespan > 3600 * HOURS, queue


def test_less_time_takes_more_workers(fleet: Fleet, needs: Needs) -> None:
    workers, _ = fewest(fleet, HOURS / 2)
    assert sum(workers.values()) > sum(needs.workers.values())


def test_a_night_that_no_number_of_workers_makes_short_enough_is_said_so(fleet: Fleet) -> None:
    with pytest.raises(ValueError, match=r"more than 0\.1 h, however many workers"):
        fewest(fleet, 0.1)


def test_without_failures_each_task_makes_its_measured_requests(fleet: Fleet) -> None:
    both = fleet.both
    many = len(both.together.models)
    load = replace(fleet.load, failures=0.0, refused=0.0)
    night = simulate(fleet.plan, fleet.place(dict.fromkeys(QUEUES, 5)), load)
    found = Needs(fleet, dict.fromkeys(QUEUES, 5), night)
    expected = {verb: n * 40 / many for verb, n in both.together.verbs().items()}
    assert found.requests() == pytest.approx(expected)
    assert found.rows() == pytest.approx(40 / many * sum(both.together.rows.values()))
    dollars = sum(PRICES[verb] * count / 1000 for verb, count in expected.items())
    assert found.dollars() == pytest.approx(dollars)


def test_a_mix_has_its_parts() -> None:
    mixed = Fleet.of(500, "mixed", Both.read(), Burst.read())
    counts = Counter((size.rows, size.shape.layers) for size in mixed.sizes.values())
    assert counts == {(10_000, 6): 350, (100_000, 6): 100, (100_000, 12): 25, (10_000, 24): 25}


def test_the_spread_is_about_the_median() -> None:
    found = sorted(ratios(Both.read()))
    assert found[len(found) // 2] == pytest.approx(1.0, abs=0.05)


def documented() -> list[tuple[str, str]]:
    """Each block of docs/scale.md that shows `simulate`: its options, what it prints."""
    text = (ROOT / "docs" / "scale.md").read_text(encoding="utf-8")
    return re.findall(r"```\n\$ \S+ -m tests\.fleet simulate ?(.*)\n((?:.+\n)+)```", text)


@pytest.mark.parametrize(("options", "printed"), documented())
def test_the_docs_say_what_is_printed(options: str, printed: str) -> None:
    """With the documented workers, which saves the search; that they suffice is looked at, too."""
    asked = dict(re.findall(r"--(\S+) (\S+)", options))
    hours = float(asked.get("hours", 8))
    fleet = Fleet.of(
        int(asked.get("models", 500)), asked.get("mix", "alike"), Both.read(), Burst.read()
    )
    workers = {queue: int(re.search(rf"{queue} (\d+)", printed)[1]) for queue in QUEUES}  # type: ignore[index]
    night = fleet.night(workers)
    assert night.makespan <= 3600 * hours
    fewer = {**workers, "train": workers["train"] - 1}
    assert fleet.night(fewer).makespan > 3600 * hours
    lines = [f"{name:10} {told}" for name, told in Needs(fleet, workers, night).lines()]
    assert printed.splitlines() == lines


def test_the_docs_show_some() -> None:
    assert len(documented()) >= 2
