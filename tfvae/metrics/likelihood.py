"""Estimates of log p(x) by importance weights."""

import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import tensorflow as tf
import tf_keras

from tfvae import noise
from tfvae.condition import Values, network_inputs, repeated
from tfvae.distributions import posteriors
from tfvae.learner import Given
from tfvae.vae import VAE

# Numbers held at once, so that memory does not grow with examples or draws: of
# the decoder's widest layer, and of the log-weights of one batch of examples.
DECODED_NUMBERS, WEIGHT_NUMBERS = 2**24, 2**24
LARGEST_BATCH = 100
CURVE = (1, 5, 10, 50, 100, 500, 1000, 5000)  # each divides the next


@dataclasses.dataclass(frozen=True)
class Estimate:
    """Importance-weighted estimates, one for each example.

    Attributes:
      log_prob: [n], log (1/K) sum_k w_k, w_k = p(x, z_k) / q(z_k|x), nats: in
        expectation a lower bound on log p(x).
      variance: [n], of log_prob over the draws (delta method), nats^2.
      log_likelihood: [n], mean of log p(x|z) over the draws, nats.
      log_ratio: [n], mean of log q(z|x) - log p(z), nats: the KL by Monte
        Carlo.
      curve: {k: [n]}, the mean of the bounds by k draws each, nats; it never
        falls with k where each k divides the next.
    """

    log_prob: np.ndarray
    variance: np.ndarray
    log_likelihood: np.ndarray
    log_ratio: np.ndarray
    curve: dict[int, np.ndarray]


def importance_weighted(
    model: VAE,
    x: np.ndarray,
    *,
    num_samples: int,
    condition: Given = None,
    seed: int = 0,
    jit_compile: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Estimate:
    """Estimates log p(x) with `num_samples` draws from q(z|x) an example.

    Args:
      model: trained.
      x: [n, *event_shape].
      num_samples: K.
      condition: its values for each x; None without a condition. The estimate
        is then of log p(x|condition).
      seed: of the draws; equal seeds give equal figures.
      jit_compile: have XLA fuse log p(x|z), which pays for many draws.
      progress: told the number of examples done, after each batch.

    References:
      Burda et al., 2016. Importance Weighted Autoencoders, eq. 8.
      https://arxiv.org/abs/1509.00519
    """
    estimate = estimator(model, seed=seed, jit_compile=jit_compile)
    return estimate(
        x, num_samples=num_samples, condition=condition, progress=progress
    )


def estimator(
    model: VAE, *, seed: int = 0, jit_compile: bool = False
) -> Callable[..., Estimate]:
    """Returns `importance_weighted` of a model, which traces it but once.

    Args:
      model: the weights are those it has when the estimate is made.
      seed: as in `importance_weighted`.
      jit_compile: as in `importance_weighted`.

    Returns:
      estimate: takes the other arguments of `importance_weighted`.
    """
    draw = _make_draw(model, seed, jit_compile)

    def estimate(
        x: np.ndarray,
        *,
        num_samples: int,
        condition: Given = None,
        progress: Callable[[int], None] | None = None,
    ) -> Estimate:
        batch_size, chunk = _sizes(_width(model.decoder), num_samples)
        ks = [k for k in CURVE if k < num_samples] + [num_samples]
        parts = []
        for index, start in enumerate(range(0, len(x), batch_size)):
            rows = slice(start, start + batch_size)
            batch = tf.constant(x[rows], tf.float32)
            values = {name: v[rows] for name, v in (condition or {}).items()}
            values = model.condition.check(values)
            chunks = [
                draw(
                    batch, values, size, tf.constant([index, number], tf.int64)
                )
                for number, size in enumerate(_chunks(num_samples, chunk))
            ]
            log_likelihood, log_ratio = (
                np.concatenate([pair[i] for pair in chunks]).astype(np.float64)
                for i in range(2)
            )
            parts.append(_estimate(log_likelihood, log_ratio, ks))
            if progress is not None:
                progress(min(start + batch_size, len(x)))
        return _joined(parts)

    return estimate


def naive(
    model: VAE, x: np.ndarray, *, num_samples: int, seed: int = 0
) -> dict[int, float]:
    """Returns {k: mean of log (1/k) sum_j p(x|z_j)}, z_j ~ p(z), nats.

    In expectation a bound like the importance-weighted one, but so loose that
    it is of no use: draws from p(z) hardly ever fall where x is likely. All
    examples share the draws, and every k takes the first ones.

    Args:
      model: trained.
      x: [n, *event_shape].
      num_samples: the largest k.
      seed: of the draws.
    """
    # TFP takes 32-bit seeds only.
    z = model.prior.sample(
        num_samples,
        seed=tf.cast(
            _chunk_seed(seed, tf.constant([0, 0], tf.int64)), tf.int32
        ),
    )
    chunk = max(1, DECODED_NUMBERS // (4 * x.size))

    @tf.function(reduce_retracing=True, autograph=False)
    def score(z: tf.Tensor) -> tf.Tensor:
        return model.decode(z).log_prob(tf.constant(x, tf.float32)[:, None])

    log_likelihood = np.concatenate(
        [score(z[i : i + chunk]) for i in range(0, num_samples, chunk)], axis=1
    ).astype(np.float64)  # [n, num_samples]
    ks = [k for k in CURVE if k < num_samples] + [num_samples]
    return {
        k: float(np.mean(_log_mean_exp(log_likelihood[:, :k], axis=1)))
        for k in ks
    }


def _width(network: tf_keras.Model) -> int:
    """Returns the numbers that a network's widest layer makes of one input."""
    widths = [1]
    for layer in network.layers:
        if hasattr(layer, "layers"):
            widths.append(_width(layer))
            continue
        # A distribution layer has two outputs.
        outputs = tf.nest.flatten(layer.output)
        widths += [math.prod(output.shape[1:]) for output in outputs]
    return max(widths)


def _sizes(width: int, num_samples: int) -> tuple[int, int]:
    """Returns (examples of a batch, draws of a chunk)."""
    rows = max(1, DECODED_NUMBERS // width)
    batch_size = max(1, min(LARGEST_BATCH, rows, WEIGHT_NUMBERS // num_samples))
    return batch_size, max(1, rows // batch_size)


def _chunks(num_samples: int, chunk: int) -> Iterator[int]:
    for start in range(0, num_samples, chunk):
        yield min(chunk, num_samples - start)


def _chunk_seed(seed: int, place: tf.Tensor) -> tf.Tensor:
    """Returns the seed of one chunk; `place`: which batch, which chunk."""
    return noise.step_seed(seed, noise.EVALUATE, place[0] * 2**20 + place[1])


def _make_draw(
    model: VAE, seed: int, jit_compile: bool
) -> Callable[..., tuple[tf.Tensor, tf.Tensor]]:
    latent_dim, likelihood = model.latent_dim, model.likelihood
    # TensorFlow's matrix products are faster than XLA's on a CPU, XLA's fused
    # loops faster than TensorFlow's: each does what it is better at.
    network = tf_keras.Model(model.decoder.input, likelihood.input)

    @tf.function(jit_compile=jit_compile, autograph=False)
    def score(parameters: tf.Tensor, x: tf.Tensor, values: Values) -> tf.Tensor:
        num_samples = parameters.shape[0] // x.shape[0]
        tiled = tf.tile(x, [num_samples] + [1] * (len(x.shape) - 1))
        px = model.condition.complete(likelihood(parameters), values)
        return px.log_prob(tiled)

    @tf.function(autograph=False)
    def draw(
        x: tf.Tensor, values: Values, num_samples: int, place: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns log p(x|z), log q(z|x) - log p(z): [num_samples, batch]."""
        shape = [num_samples, x.shape[0], latent_dim]
        eps = tf.random.stateless_normal(
            shape, _chunk_seed(seed, place), alg=noise.ALGORITHM
        )
        z, log_posterior = posteriors.draw(model.encode(x, values), eps)
        flat = tf.reshape(z, [shape[0] * shape[1], latent_dim])
        tiled = repeated(values, num_samples)
        parameters = network(network_inputs("z", flat, tiled), training=False)
        log_likelihood = score(parameters, x, tiled)
        return (
            tf.reshape(log_likelihood, shape[:2]),
            log_posterior - model.prior.log_prob(z),
        )

    return draw


def _estimate(
    log_likelihood: np.ndarray, log_ratio: np.ndarray, ks: Iterable[int]
) -> Estimate:
    """Returns the estimates of [num_samples, batch] draws."""
    log_weights = log_likelihood - log_ratio
    num_samples = len(log_weights)
    largest = log_weights.max(axis=0)
    scaled = np.exp(log_weights - largest)
    mean = scaled.mean(axis=0)
    # log (1/K) sum_k w_k
    log_prob = np.log(mean) + largest
    # Var[log w_mean] = Var[w] / (K E[w]^2)
    variance = scaled.var(axis=0) / (num_samples * np.square(mean))
    curve, grouped, group = {}, log_weights, 1
    for k in ks:
        if k == num_samples:
            curve[k] = log_prob
            continue
        # Groups of k are made of whole groups of the k before.
        wider = k // group
        grouped = grouped[: len(grouped) // wider * wider]
        grouped = _log_mean_exp(
            grouped.reshape(-1, wider, grouped.shape[-1]), axis=1
        )
        group = k
        curve[k] = grouped.mean(axis=0)
    return Estimate(
        log_prob=log_prob,
        variance=variance,
        log_likelihood=log_likelihood.mean(axis=0),
        log_ratio=log_ratio.mean(axis=0),
        curve=curve,
    )


def _joined(parts: list[Estimate]) -> Estimate:
    arrays = {
        field.name: np.concatenate([getattr(p, field.name) for p in parts])
        for field in dataclasses.fields(Estimate)
        if field.name != "curve"
    }
    curve = {
        k: np.concatenate([part.curve[k] for part in parts])
        for k in parts[0].curve
    }
    return Estimate(**arrays, curve=curve)


def _log_mean_exp(values: np.ndarray, *, axis: int) -> np.ndarray:
    """Returns log of the mean of exp, stable where exp would overflow."""
    largest = values.max(axis=axis, keepdims=True)
    mean = np.exp(values - largest).mean(axis=axis)
    return np.log(mean) + np.squeeze(largest, axis=axis)
