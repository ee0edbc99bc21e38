"""Personal data found in a text and masked, in English and Chinese; standard library only.

Masker(["email", "phone"])("write to ann@example.com")  # "write to [EMAIL]", Counter(email=1)
"""

from __future__ import annotations

from tasks.masking.masker import KINDS, Masker

__all__ = ["KINDS", "Masker"]
