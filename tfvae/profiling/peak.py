"""The most float32 operations a second that matrix products reach here."""

import time

import tensorflow as tf

# Sides of the matrices: large enough for full speed, small enough for a try.
SIZES = {"CPU": (1024, 2048), "GPU": (4096, 8192)}
MOST_SECONDS = 1.0  # and one more round


def device_kind() -> str:
    """Returns where products are computed: GPU where there is one, else CPU."""
    return "GPU" if tf.config.list_logical_devices("GPU") else "CPU"


def matmul_peak() -> float:
    """Returns the FLOP/s of the fastest square product of several.

    Each size is tried with TensorFlow's kernel and with XLA's, in turn and
    again until the time is up. A GPU computes as it does in training: with
    TensorFloat-32, unless that was switched off.
    """
    tries = []
    for n in SIZES[device_kind()]:
        x = tf.fill([n, n], 1 / n)
        for compiled in (False, True):
            product = tf.function(_product, jit_compile=compiled)
            tries.append((product.get_concrete_function(x), x))
    for product, x in tries:
        product(x)  # the first call compiles
    best = 0.0
    end = time.perf_counter() + MOST_SECONDS
    while time.perf_counter() < end:
        for product, x in tries:
            tf.test.experimental.sync_devices()
            start = time.perf_counter()
            product(x)
            tf.test.experimental.sync_devices()
            seconds = time.perf_counter() - start
            best = max(best, 2 * int(x.shape[0]) ** 3 / seconds)
    return best


def _product(x: tf.Tensor) -> tf.Tensor:
    return x @ x
