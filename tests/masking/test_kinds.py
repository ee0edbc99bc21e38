"""Kind by kind: what is masked, and what only looks like it."""

from __future__ import annotations

import pytest

from tasks.masking import Masker

MASKED = {
    "email": [
        "ann.o'neil+shop@mail.example.co.uk", "ANN@EXAMPLE.COM", "j_d@163.com", "x@a-b.museum",
        "josé@example.es", "ann＠example．com", "bob@xn--bcher-kva.example",
    ],
    "phone": [
        "(591)341-7776", "206.269.0743x9150", "+1-780-563-6083", "001-780-563-6083", "4155552671",
        "+44(0)115 4960914", "020 7946 0123", "(01632) 960391", "07700900123", "+49 30 901820",
        "+33 1 42 68 53 00", "06 12 34 56 78", "13812345678", "138-1234-5678", "+86 138 1234 5678",
        "010-63451234", "0755-81234567", "１３８１２３４５６７８", "①③⑧ 1234 5678",
    ],
    "card": [
        "4111111111111111", "4111 1111 1111 1111", "4111-1111-1111-1111", "3782 822463 10005",
        "371449635398431", "5555555555554444", "6011111111111117", "3530111333300000",
        "30569309025904", "２２２３００３１２２００３２２２", "6214171953640529",
    ],
    "id": [
        "21020019820214304X", "210200 19820214 304X",
        "A123456(3)", "615-65-4183", "912-70-1234", "AB123456C", "AB 12 34 56 C", "ZZ604230T",
        "GB82WEST12345698765432", "GB82 WEST 1234 5698 7654 32", "DE89370400440532013000",
    ],
    "ip": [
        "203.0.113.9", "10.0.0.1", "203.0.113.9:8080", "203.0.113.0/24", "2001:db8::1",
        "fe80::1ff:fe23:4567:890a%eth0", "7e46:5b19:5bf3:f74d:cacc:9ec9:c02f:c22a",
        "::ffff:203.0.113.9",
    ],
}  # fmt: skip
LEFT = {
    "email": ["@ann", "logo@2x.png", "lodash@4.17.21", "2 @ 3.50", "root@localhost", "a@b",
              "@a.co"],
    "phone": [
        "order 4155552671", "订单号13812345678", "4155552671 is my order number",
        "SKU-415-555-2671", "$4155552671", "4155552671元", "1700000000", "2024-05-01 12:30:45",
        "20240501123045", "978-3-16-148410-0", "6737807197 * 3", "1998-2003", "3.14159265358979",
        "call about order 4155552671", "0900 1700", "da39a3ee-5e6b-4b0d-3255-bfef95601890",
    ],
    "card": [
        "4111111111111112", "1234567812345670", "order 4111111111111111", "41111111111111111111",
        "订单4111111111111111",
    ],
    "id": [
        "210200198202143041", "210200198213143041", "A123456(4)", "000-12-3456", "666-12-3456",
        "GB83WEST12345698765432", "QQ123456A", "BG123456A", "part 615-65-4183", "615654183",
    ],
    "ip": [
        "version 1.2.3.4", "v1.2.3.4", "1.2.3.4", "256.1.1.1", "1.2.3.4.5", "升级到18.2.1.44",
        "section 2.3.4.1", "12:30:45", "00:1a:2b:3c:4d:5e", "std::size_t", "x[1::2]", "1.2.3",
    ],
}  # fmt: skip


@pytest.mark.parametrize(("kind", "text"), [(k, t) for k, texts in MASKED.items() for t in texts])
def test_it_is_masked_whole(kind: str, text: str) -> None:
    mark = f"[{kind.upper()}]"
    for frame in (
        "{}",
        "it is {}.",
        "（{}）",
        "是{}吗",
        "({}), {}",
        "说明情况.{}",
        "it:{}",
        "是：{}",
    ):
        found = frame.format(*[text] * 2)
        assert Masker([kind])(found)[0] == frame.format(*[mark] * 2)


@pytest.mark.parametrize(("kind", "text"), [(k, t) for k, texts in LEFT.items() for t in texts])
def test_what_only_looks_like_it_stays(kind: str, text: str) -> None:
    assert Masker([kind])(text) == (text, {})


@pytest.mark.parametrize(
    "text",
    ["my phone is 4155552671", "phone for order 12: 4155552671", "SSN 615654183", "ip is 1.2.3.4"],
)
def test_a_word_beside_it_decides_in_favour(text: str) -> None:
    assert Masker(["phone", "id", "ip"])(text)[0] != text
