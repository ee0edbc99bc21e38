from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter

import pytest

from tasks.masking import KINDS, Masker
from tasks.stage.errors import BadInput
from tests.masking_proof import scores

LENGTH = 1_000_000
SECONDS = 1.0
HOSTILE = [
    "1", "1 ", "1.", "1:", "1::", "a@", "_@", "a" * 70 + "@", "@a.a.a.a", "a@" + "a-" * 30 + ".",
    "ab:", "0 ", "0020 ", "+1234567890123456", "(", "GB82 ", "GB82WEST", "4111-",
    "4111 1111 1111 1112 ", "110101199003071234 ", "256.1.1.1 ", "1.2.3.4:", "13812345678-",
    "4155552671x", "4155552671@", "AB 12 ", "A123456(", "订单", "１", "①-",
]  # fmt: skip


def masked(text: str, *kinds: str) -> str:
    return Masker(kinds or KINDS)(text)[0]


def test_what_is_found_is_replaced_and_counted() -> None:
    text = "ann@example.com or 206-269-0743, bob@example.com, from 203.0.113.9"

    assert Masker(KINDS)(text) == (
        "[EMAIL] or [PHONE], [EMAIL], from [IP]",
        Counter(email=2, phone=1, ip=1),
    )


def test_only_the_kinds_asked_for_are_masked() -> None:
    text = "ann@example.com or 206-269-0743"

    assert masked(text, "email") == "[EMAIL] or 206-269-0743"
    assert masked(text, "phone") == "ann@example.com or [PHONE]"
    assert Masker([])(text) == (text, Counter())


def test_the_rest_of_a_text_stays_as_it_was_typed() -> None:
    assert masked("Ｆｕｌｌ　电话１３８１２３４５６７８！“x²”") == "Ｆｕｌｌ　电话[PHONE]！“x²”"


@pytest.mark.parametrize("kind", ["face", "name", ""])
def test_a_kind_that_it_does_not_know_is_named(kind: str) -> None:
    with pytest.raises(BadInput, match=f"mask: got '{kind}'; known kinds are email, phone, card"):
        Masker(["email", kind])


def test_masked_text_is_left_as_it_is() -> None:
    texts = [
        "order [PHONE] 4155552671",
        "call 415-555-2671 415-555-2672 4155552673, a@b.co 13812345678 13812345679",
        "0207 9460123 0207 9460124 0207 9460125",
        "4111 1111 1111 1111 4111 1111 1111 1111",
        "身份证21020019820214304X 210200198202143051 ann@b.cn13812345678",
    ]
    for text in texts:
        once = masked(text)
        assert Masker(KINDS)(once) == (once, Counter())


@pytest.mark.parametrize("piece", HOSTILE)
@pytest.mark.parametrize("kind", KINDS)
def test_hostile_text_costs_no_more_than_its_length(piece: str, kind: str) -> None:
    text, masker = (piece * (LENGTH // len(piece) + 1))[:LENGTH], Masker([kind])
    started = time.process_time()
    masker(text)

    assert time.process_time() - started < SECONDS


def test_a_text_without_digits_costs_almost_nothing() -> None:
    text, masker = "the film is dull and nobody thought otherwise at all " * 4, Masker(KINDS)
    started = time.process_time()
    for _ in range(20_000):
        masker(text)

    assert time.process_time() - started < 0.2


def test_faker_s_data_are_found_and_look_alikes_are_left_alone() -> None:
    found, _ = scores(texts=1000, seed=2)

    assert len(found) == 15
    assert not [each for each in found if not each.holds]


def test_it_needs_the_standard_library_alone() -> None:
    code = (
        "import sys; before = set(sys.modules); import tasks.masking; "
        "print({n.partition('.')[0] for n in set(sys.modules) - before} "
        "- set(sys.stdlib_module_names) - {'tasks'})"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert told.stdout.strip() == "set()"


def test_stretches_of_the_text_are_followed() -> None:
    text = "Ann, ann@example.com or bob@x.org, in Paris"
    names = ["Ann", "ann@example.com or bob", "example.com", "or", "bob@x.org, in", "Paris"]
    stretches = [(text.index(name), text.index(name) + len(name)) for name in names]
    written, found, places = Masker(["email"]).following(text, stretches)

    assert (written, found) == Masker(["email"])(text)
    assert [written[start:end] for start, end in places] == [
        "Ann", "[EMAIL] or [EMAIL]", "[EMAIL]", "or", "[EMAIL], in", "Paris",
    ]  # fmt: skip
