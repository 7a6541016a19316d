"""p(x|z): distribution layers that close a decoder.

A likelihood is one entry of `LIKELIHOODS`. It turns the decoder's last
activations into a distribution over x, and says what weighs the distortion.
"""

import math
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd
from tensorflow_probability import layers as tfpl

from tfvae.replicas import sum_over_replicas

# A pixel that is constant over the data has an unbounded density as c goes to
# 0, so c is clipped at sigma = e^-6, 0.6 of one of 255 grey levels.
SMALLEST_C = math.exp(-12)
SMALLEST_MEAN = 1e-3  # of a pixel, where the decoder begins (Burda et al.)
CALIBRATION_DECAY = 0.98
# Adam moves a variable by about its learning rate a step, so at 1e-3 a plain
# log c would take thousands of steps to fall from 1 to 0.01.
LEARNED_GAIN = 20.0


class Likelihood(tfpl.DistributionLambda):
    """Last layer of a decoder: [batch, *event_shape, params_per_dim] to p(x|z).

    As a tensor the distribution is its mean, never a hidden draw.

    Attributes:
      params_per_dim: numbers that one dimension of x takes.
      supports: supports of data (`DataSpec.support`) that it can score.
    """

    params_per_dim = 1
    supports: tuple[str, ...] = ()

    def __init__(self, name: str = "likelihood") -> None:
        super().__init__(
            make_distribution_fn=self._make_distribution,
            convert_to_tensor_fn=tfd.Distribution.mean,
            dtype=tf.float32,
            name=name,
        )

    def _make_distribution(self, inputs: Any) -> tfd.Distribution:
        raise NotImplementedError

    def parameters_of_mean(self, mean: np.ndarray) -> np.ndarray:
        """Returns inputs of this layer at which p(x|z) has a given mean.

        Args:
          mean: [*event_shape], of the data.

        Returns:
          parameters: [*event_shape, params_per_dim].
        """
        raise NotImplementedError

    @property
    def distortion_weight(self) -> float:
        """What -log p(x|z) is multiplied by in the loss."""
        return 1.0

    def current_C(self) -> float:
        """Returns C as it stands now."""
        raise NotImplementedError

    def calibrate(
        self,
        px: tfd.Distribution,
        x: tf.Tensor,
        weight: tf.Tensor | None = None,
    ) -> tfd.Distribution:
        """Fits what is known in closed form; called once a training step.

        Args:
          px: p(x|z), batch_shape [batch].
          x: [batch, *event_shape], this replica's examples.
          weight: [batch], of each example; None: equal weights.

        Returns:
          px: the p(x|z) that the step trains on.
        """
        del x, weight
        return px


class Gaussian(Likelihood):
    """p(x|z) = N(f(z), c I), with C = 1 / (2 c).

    Then -log p(x|z) = C ||x - f(z)||^2 + D/2 log(2 pi c).

    Args:
      C: a number above 0; "learned": log c is a trainable scalar; "optimal": c
        is the mean squared error per dimension of the global batch, its
        closed-form maximum likelihood, while training, and a running average
        of that, frozen, everywhere else. Learned and optimal c are clipped
        from below at e^-12.
      unit_interval: x lies in [0, 1], so f(z) passes through a sigmoid.

    References:
      Rybkin et al., 2021. Simple and Effective VAE Training with Calibrated
      Decoders, section 4. https://arxiv.org/abs/2006.13202
    """

    supports = ("binary", "unit", "real")

    def __init__(
        self,
        C: float | str = "optimal",
        *,
        unit_interval: bool = False,
        name: str = "likelihood",
    ) -> None:
        if isinstance(C, str) and C not in ("learned", "optimal"):
            raise ValueError(
                f"`C` must be learned, optimal or a number; got {C!r}."
            )
        super().__init__(name=name)
        self.C = C
        self.unit_interval = unit_interval
        self.gain = LEARNED_GAIN if C == "learned" else 1.0
        c = 1 / (2 * C) if not isinstance(C, str) else (
            0.1 if unit_interval else 1.0
        )  # fmt: skip
        self.scaled_log_c = self.add_weight(
            name="scaled_log_c",
            shape=[],
            initializer=tf.constant_initializer(math.log(c) / self.gain),
            trainable=C == "learned",
            aggregation=tf.VariableAggregation.MEAN,
        )
        self.num_calibrations = self.add_weight(
            name="num_calibrations",
            shape=[],
            initializer="zeros",
            trainable=False,
            aggregation=tf.VariableAggregation.MEAN,
        )

    def parameters_of_mean(self, mean: np.ndarray) -> np.ndarray:
        """See `Likelihood.parameters_of_mean`."""
        loc = _logit(mean) if self.unit_interval else mean
        return loc[..., np.newaxis]

    @property
    def c(self) -> tf.Tensor:
        """Variance of the observation noise: scalar."""
        c = tf.exp(self.gain * tf.convert_to_tensor(self.scaled_log_c))
        return tf.maximum(c, SMALLEST_C) if isinstance(self.C, str) else c

    def current_C(self) -> float:
        """Returns C = 1 / (2 c) as it stands now."""
        return float(1 / (2 * self.c))

    def calibrate(
        self,
        px: tfd.Distribution,
        x: tf.Tensor,
        weight: tf.Tensor | None = None,
    ) -> tfd.Distribution:
        """See `Likelihood.calibrate`: c = SE / D for "optimal".

        c maximises the batch's likelihood, so the gradient through c is zero
        and none is taken (Rybkin et al., 2021, eq. 8).
        """
        if self.C != "optimal":
            return px
        loc = tf.stop_gradient(px.mean())
        # SE = ||x - f(z)||^2 of each example
        squared_error = tf.reduce_sum(
            tf.square(x - loc), tf.range(1, tf.rank(x))
        )
        if weight is None:
            weight = tf.ones_like(squared_error)
        total_error, total_weight = sum_over_replicas(
            [tf.reduce_sum(weight * squared_error), tf.reduce_sum(weight)]
        )
        # c* = SE / D, SE the weighted mean over the global batch
        num_dims = math.prod(loc.shape[1:])
        c = total_error / (num_dims * total_weight)
        c = tf.maximum(c, SMALLEST_C)
        self._remember(tf.math.log(c))
        return _gaussian(px.mean(), c)

    def _remember(self, log_c: tf.Tensor) -> None:
        """Moves the running average; early on it follows faster."""
        count = tf.convert_to_tensor(self.num_calibrations)
        decay = tf.minimum(CALIBRATION_DECAY, count / (count + 10))
        self.scaled_log_c.assign(
            decay * self.scaled_log_c + (1 - decay) * log_c
        )
        self.num_calibrations.assign(count + 1)

    def call(self, inputs: tf.Tensor, *args: Any, **kwargs: Any) -> Any:
        """Reads c here: a Lambda layer warns of a replica's variables."""
        return super().call((inputs, self.c), *args, **kwargs)

    def _make_distribution(
        self, inputs: tuple[tf.Tensor, tf.Tensor]
    ) -> tfd.Distribution:
        parameters, c = inputs
        loc = tf.squeeze(parameters, axis=-1)
        if self.unit_interval:
            loc = tf.sigmoid(loc)
        if self.C == "learned":
            # d/dlog c of -log p(x|z) grows with D; with it divided out, one
            # learning rate fits c and the networks under every optimizer.
            num_dims = math.prod(loc.shape[1:])
            c = _scale_gradient(c, 2 / (num_dims * self.gain))
        # p(x|z)
        return _gaussian(loc, c)


class Bernoulli(Likelihood):
    """p(x|z) = prod_i Bernoulli(x_i; sigmoid(logits_i)).

    On grey values in [0, 1] it is the cross-entropy, not a normalised density.

    Args:
      C: what -log p(x|z) is multiplied by in the loss; beta = 1 / C.
    """

    supports = ("binary", "unit")

    def __init__(self, C: float = 1.0, *, name: str = "likelihood") -> None:
        super().__init__(name=name)
        self.C = C

    def parameters_of_mean(self, mean: np.ndarray) -> np.ndarray:
        """See `Likelihood.parameters_of_mean`."""
        return _logit(mean)[..., np.newaxis]

    @property
    def distortion_weight(self) -> float:
        """See `Likelihood.distortion_weight`."""
        return self.C

    def current_C(self) -> float:
        """See `Likelihood.current_C`."""
        return self.C

    def _make_distribution(self, inputs: tf.Tensor) -> tfd.Distribution:
        logits = tf.squeeze(inputs, axis=-1)
        # p(x|z)
        return _independent(tfd.Bernoulli(logits=logits, dtype=tf.float32))


LIKELIHOODS: dict[str, type[Likelihood]] = {
    "gaussian": Gaussian,
    "bernoulli": Bernoulli,
}


def _logit(mean: np.ndarray) -> np.ndarray:
    """Returns log(mean / (1 - mean)), of a mean kept off 0 and 1."""
    kept = np.clip(mean, SMALLEST_MEAN, 1 - SMALLEST_MEAN)
    return np.log(kept) - np.log1p(-kept)


def _gaussian(loc: tf.Tensor, c: tf.Tensor) -> tfd.Distribution:
    return _independent(tfd.Normal(loc=loc, scale=tf.sqrt(c)))


def _independent(per_dim: tfd.Distribution) -> tfd.Distribution:
    return tfd.Independent(
        per_dim, reinterpreted_batch_ndims=len(per_dim.batch_shape) - 1
    )


def _scale_gradient(value: tf.Tensor, factor: float) -> tf.Tensor:
    """Returns `value`, whose gradient is multiplied by `factor`."""

    @tf.custom_gradient
    def identity(x: tf.Tensor) -> tuple[tf.Tensor, Any]:
        return tf.identity(x), lambda upstream: factor * upstream

    return identity(value)
