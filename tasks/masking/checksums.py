"""The check digits that tell a number from one that only looks like it."""

from __future__ import annotations

RESIDENT_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
RESIDENT_CHECKS = "10X98765432"
_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)


def luhn(digits: str) -> bool:
    """Payment cards (ISO/IEC 7812-1, annex B)."""
    values = [int(digit) for digit in reversed(digits)]
    total = sum(values[::2]) + sum(_DOUBLED[value] for value in values[1::2])
    return total % 10 == 0


def resident(number: str) -> bool:
    """China's resident identity numbers (GB 11643-1999: ISO 7064, MOD 11-2); 18 characters."""
    total = sum(int(digit) * w for digit, w in zip(number[:17], RESIDENT_WEIGHTS, strict=True))
    return RESIDENT_CHECKS[total % 11] == number[17].upper()


def iban(number: str) -> bool:
    """International bank account numbers (ISO 13616: ISO 7064, MOD 97-10), without spaces."""
    turned = number[4:] + number[:4]
    return int("".join(str(int(character, 36)) for character in turned)) % 97 == 1


def hong_kong(letters: str, digits: str, check: str) -> bool:
    """Hong Kong's identity cards: one or two letters, six digits, a check digit modulo 11."""
    values = [ord(letter) - 55 for letter in letters.upper().rjust(2, "[")]  # no letter counts 36
    values += [int(digit) for digit in digits] + [10 if check.upper() == "A" else int(check)]
    return sum(value * w for value, w in zip(values, range(9, 0, -1), strict=True)) % 11 == 0
