"""In which precision this CPU multiplies matrices fastest.

Measured: an instruction for bf16 does not say how fast it is. On an AMD EPYC with AVX-512 BF16 such
products took a quarter of fp32's time, on an Intel Xeon with it (AMX switched off) 1.5 times it.
"""

from __future__ import annotations

import time
from functools import cache

import torch

WORTH = 1.2
"""How much faster products in bf16 must be: weights are converted at every step, and fp32 rounds
less."""
TOKENS, WIDTH, WIDER = 1024, 384, 1536
"""Of the product that is timed: a feed-forward network's of a small encoder, 1.2 GFLOP."""
TIMES = 5

_TYPES = (torch.float32, torch.bfloat16)


@cache
def gain_of_bf16() -> float:
    """How many times as fast as in fp32 matrix products are in bf16, with torch's threads as they
    are; 0.0, unmeasured, where the processor has no instruction for it."""
    if not (torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()):
        return 0.0
    plain, half = _seconds()
    return plain / half


def cpu_precision() -> str:
    """`bf16` where that pays, else `fp32`."""
    return "bf16" if gain_of_bf16() >= WORTH else "fp32"


def _seconds() -> tuple[float, float]:
    """What a product takes in fp32 and in bf16 at best, by turns, the first of each not counted."""
    factors = [
        (torch.ones(TOKENS, WIDTH, dtype=kind), torch.ones(WIDER, WIDTH, dtype=kind))
        for kind in _TYPES
    ]
    best = [float("inf")] * len(_TYPES)
    for turn in range(TIMES + 1):
        for number, (given, weight) in enumerate(factors):
            started = time.perf_counter()
            torch.nn.functional.linear(given, weight)
            if turn:
                best[number] = min(best[number], time.perf_counter() - started)
    return best[0], best[1]
