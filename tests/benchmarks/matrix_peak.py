"""The machine's float32 matrix peak: the best of square products, in FLOP/s.

python -m tests.benchmarks.matrix_peak LIBRARY

Prints one JSON object: library, size, flops. Each library is a process of its
own, as each keeps threads of its own.
"""

import json
import os
import sys
import time
from collections.abc import Callable

import numpy as np

SIZES = (512, 1024, 2048, 4096)
REPEATS, LEAST_SECONDS = 5, 0.1

Product = Callable[[], object]


def _numpy(a: np.ndarray, b: np.ndarray) -> Product:
    out = np.empty_like(a)
    return lambda: np.matmul(a, b, out=out)


def _tensorflow(a: np.ndarray, b: np.ndarray) -> Product:
    import tensorflow as tf

    left, right = tf.constant(a), tf.constant(b)
    return lambda: tf.matmul(left, right).numpy()


def _torch(a: np.ndarray, b: np.ndarray) -> Product:
    import torch

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    left, right = torch.from_numpy(a), torch.from_numpy(b)
    out = torch.empty_like(left)
    return lambda: torch.mm(left, right, out=out)


def _jax(a: np.ndarray, b: np.ndarray) -> Product:
    import jax

    left, right = jax.device_put(a), jax.device_put(b)
    product = jax.jit(jax.numpy.matmul)
    return lambda: product(left, right).block_until_ready()


LIBRARIES: dict[str, Callable[[np.ndarray, np.ndarray], Product]] = {
    "numpy": _numpy,
    "tensorflow": _tensorflow,
    "torch": _torch,
    "jax": _jax,
}


def fastest(product: Product) -> float:
    """Returns the least seconds of one product."""
    product()
    best = float("inf")
    for _ in range(REPEATS):
        started, count = time.perf_counter(), 0
        while (passed := time.perf_counter() - started) < LEAST_SECONDS:
            product()
            count += 1
        best = min(best, passed / count)
    return best


def main(library: str) -> None:
    """Measures and prints."""
    rng = np.random.default_rng(0)
    rates = {}
    for size in SIZES:
        a, b = rng.standard_normal([2, size, size], np.float32)
        rates[size] = 2 * size**3 / fastest(LIBRARIES[library](a, b))
    size = max(rates, key=rates.__getitem__)
    print(json.dumps({"library": library, "size": size, "flops": rates[size]}))


if __name__ == "__main__":
    main(*sys.argv[1:])
