"""In which precision this CPU multiplies matrices fastest.

Measured: an instruction for bf16 does not say how fast it is. On an AMD EPYC with AVX-512 BF16 such
products took a quarter of fp32's time, on an Intel Xeon with it (AMX switched off) 1.7 times it.
"""

from __future__ import annotations

import time
from functools import cache

import torch

WORTH = 1.2
"""How much faster products in bf16 must be: weights are converted at every step, and fp32 rounds
less."""
TOKENS, WIDTH, WIDER = 512, 384, 1536
"""Of the product that is timed: a feed-forward network's of a small encoder, 0.6 GFLOP."""
TIMES = 10

_TYPES = (torch.float32, torch.bfloat16)


@cache
def gain_of_bf16() -> float:
    """How many times as fast as in fp32 matrix products are in bf16; 0.0, unmeasured, where the
    processor has no instruction for it."""
    if not (torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()):
        return 0.0
    plain, half = _seconds()
    return plain / half


def cpu_precision() -> str:
    """`bf16` where that pays, else `fp32`."""
    return "bf16" if gain_of_bf16() >= WORTH else "fp32"


def _seconds() -> tuple[float, float]:
    """What a product takes in fp32 and in bf16 at best, by turns, the first of each not counted.

    By the time that one thread was computing: what else runs here must not decide how a model is
    trained, or a run would not end as another one does.
    """
    factors = [
        (torch.ones(TOKENS, WIDTH, dtype=kind), torch.ones(WIDER, WIDTH, dtype=kind))
        for kind in _TYPES
    ]
    best, threads = [float("inf")] * len(_TYPES), torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for turn in range(TIMES + 1):
            for number, (given, weight) in enumerate(factors):
                started = time.thread_time()
                torch.nn.functional.linear(given, weight)
                if turn:
                    best[number] = min(best[number], time.thread_time() - started)
    finally:
        torch.set_num_threads(threads)
    return best[0], best[1]
