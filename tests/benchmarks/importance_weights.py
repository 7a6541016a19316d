"""Time and memory of the importance-weighted bound, beside its least cost.

python -m tests.benchmarks.importance_weights [EXAMPLES [DRAWS]]

A 784-200-200-50 Bernoulli model with tanh layers and random weights. Its least
cost is that of the decoder's matrix products alone, for as many z, timed in
pieces between the estimates, in the same process.
"""

import resource
import sys
import time

import numpy as np
import tensorflow as tf

import tfvae
from tfvae import trunks
from tfvae.distributions.likelihoods import Bernoulli
from tfvae.metrics import likelihood

LATENT_DIM, HIDDEN, NUM_DIMS = 50, (200, 200), 784
PIECES = 2


def main(num_examples: int, num_samples: int) -> None:
    """Prints both times, their ratio and the peak memory."""
    model = tfvae.VAE(
        tfvae.make_encoder(
            trunks.dense(HIDDEN, activation="tanh"), (NUM_DIMS,), LATENT_DIM
        ),
        tfvae.make_decoder(
            trunks.dense(HIDDEN, activation="tanh"), LATENT_DIM, (NUM_DIMS,),
            Bernoulli(),
        ),
    )  # fmt: skip
    rng = np.random.default_rng(0)
    x = rng.integers(2, size=[num_examples, NUM_DIMS]).astype(np.float32)
    likelihood.importance_weighted(model, x[:100], num_samples=100)
    products = _matrix_products(model)
    at_least = estimate = 0.0
    for piece in np.array_split(x, PIECES):
        at_least += products(len(piece) * num_samples)
        start = time.perf_counter()
        likelihood.importance_weighted(
            model, piece, num_samples=num_samples, jit_compile=True
        )
        estimate += time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"{num_examples:,} examples x {num_samples:,} draws: "
        f"{estimate:.0f} s; matrix products alone {at_least:.0f} s; ratio "
        f"{estimate / at_least:.2f}; peak memory {peak:.2f} GiB"
    )


def _matrix_products(model: tfvae.VAE):
    """Returns a function from a number of z to the seconds they take."""
    rows = likelihood.DECODED_NUMBERS // NUM_DIMS
    kernels = [
        v for v in model.decoder.trainable_variables if len(v.shape) == 2
    ]
    kernels = [k for k in kernels if k.shape[1] > 1]

    @tf.function
    def multiply(z: tf.Tensor) -> tf.Tensor:
        for kernel in kernels:
            z = z @ kernel
        return z

    z = tf.random.stateless_normal([rows, LATENT_DIM], [0, 0])
    multiply(z)

    def seconds(num: int) -> float:
        start = time.perf_counter()
        for _ in range(-(-num // rows)):
            result = multiply(z)
        result.numpy()
        return time.perf_counter() - start

    return seconds


if __name__ == "__main__":
    main(*(map(int, (sys.argv[1:] + ["10000", "5000"][len(sys.argv) - 1 :]))))
