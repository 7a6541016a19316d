"""q(z|x): distribution layers that close an encoder, and draws from them.

A posterior is one entry of `POSTERIORS`. Each makes q(z|x) as a transformed
N(0, I), so that one function, `draw`, serves them all.

TFP's own KL regularizers are attached to a layer as activity regularizers,
which counts the KL twice, or sums it over the batch, or divides it by each
replica's batch size. Here the layer owns a regularizer that nobody calls but
the training step, once, and that returns the KL of each example.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability import bijectors as tfb
from tensorflow_probability import distributions as tfd
from tensorflow_probability import layers as tfpl

from tfvae.distributions import flows
from tfvae.distributions.kl import KLRegularizer

NUM_MEAN_DRAWS = 64  # half of them the other half's negatives
CONTEXT_DIM = 64


class Draw(NamedTuple):
    """z ~ q(z|x), and what q(z|x) is there.

    Attributes:
      z: [..., batch, latent_dim].
      log_prob: [..., batch], log q(z|x), nats.
    """

    z: tf.Tensor
    log_prob: tf.Tensor


def draw(posterior: tfd.Distribution, noise: tf.Tensor) -> Draw:
    """Returns z = T(noise) and its log-density, without inverting T.

    log q(z|x) = log N(noise; 0, I) - log |det dT / dnoise|

    Args:
      posterior: q(z|x) of one of `POSTERIORS`, batch_shape [batch].
      noise: [batch, latent_dim] or [num_samples, batch, latent_dim], drawn
        from N(0, I).

    References:
      Kingma and Welling, 2014. Auto-Encoding Variational Bayes, section 2.4.
      https://arxiv.org/abs/1312.6114
    """
    transform = posterior.bijector
    z = transform.forward(noise)
    # log q(z|x) = log N(noise; 0, I) - log |det dT / dnoise|
    log_det = transform.forward_log_det_jacobian(noise, event_ndims=1)
    return Draw(z, posterior.distribution.log_prob(noise) - log_det)


class Posterior(tfpl.DistributionLambda):
    """Last layer of an encoder: the outputs of its heads to q(z|x).

    As a tensor the distribution is its mean, never a hidden draw.

    Args:
      kl_regularizer: gives the KL to the prior.

    Attributes:
      is_normal: q(z|x) is a multivariate normal of TFP, which has a KL to a
        normal prior in closed form.
    """

    is_normal = True

    def __init__(
        self, kl_regularizer: KLRegularizer, *, name: str = "posterior"
    ) -> None:
        super().__init__(
            make_distribution_fn=self._make_distribution,
            convert_to_tensor_fn=tfd.Distribution.mean,
            dtype=tf.float32,
            name=name,
        )
        self.kl_regularizer = kl_regularizer

    @classmethod
    def head_units(cls, latent_dim: int) -> dict[str, int]:
        """Returns the size of each input, in order, by name.

        Args:
          latent_dim: dimensions of z.
        """
        raise NotImplementedError

    def call(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """Reads variables here: a Lambda layer warns of them."""
        return super().call(self._prepared(inputs), *args, **kwargs)

    def distribution(self, inputs: Any) -> tfd.Distribution:
        """Returns q(z|x) alone: unlike a call, it computes no tensor of it.

        Args:
          inputs: the outputs of the heads, as of `head_units`.
        """
        return self._make_distribution(self._prepared(inputs))

    def _prepared(self, inputs: Any) -> Any:
        """Returns what `_make_distribution` takes."""
        return inputs

    def _make_distribution(self, inputs: Any) -> tfd.Distribution:
        raise NotImplementedError


class MultivariateNormalDiag(Posterior):
    """q(z|x) = N(loc, diag(scale)^2).

    Called on [loc, log_scale], each [batch, latent_dim]; log_scale passes
    through 7 tanh(. / 7), so scale never over- or underflows.
    """

    @classmethod
    def head_units(cls, latent_dim: int) -> dict[str, int]:
        """See `Posterior.head_units`."""
        return {"loc": latent_dim, "log_scale": latent_dim}

    def _make_distribution(self, inputs: list[tf.Tensor]) -> tfd.Distribution:
        loc, log_scale = inputs
        scale = tf.exp(flows.bounded(log_scale, flows.LOG_SCALE_BOUND))
        # q(z|x)
        return tfd.MultivariateNormalDiag(loc=loc, scale_diag=scale)


class MultivariateNormalTriL(Posterior):
    """q(z|x) = N(loc, L L^T), L lower triangular.

    Called on [loc, scale_tril]: [batch, latent_dim] and the entries of L,
    [batch, latent_dim (latent_dim + 1) / 2], in the order of
    `tfp.math.fill_triangular`. Those on the diagonal are logarithms, and pass
    through 7 tanh(. / 7).
    """

    @classmethod
    def head_units(cls, latent_dim: int) -> dict[str, int]:
        """See `Posterior.head_units`."""
        return {
            "loc": latent_dim,
            "scale_tril": latent_dim * (latent_dim + 1) // 2,
        }

    def _make_distribution(self, inputs: list[tf.Tensor]) -> tfd.Distribution:
        loc, entries = inputs
        tril = tfp.math.fill_triangular(entries)
        log_scale = tf.linalg.diag_part(tril)
        scale = tf.exp(flows.bounded(log_scale, flows.LOG_SCALE_BOUND))
        # q(z|x)
        return tfd.MultivariateNormalTriL(
            loc=loc, scale_tril=tf.linalg.set_diag(tril, scale)
        )


class InverseAutoregressiveFlow(Posterior):
    """q(z|x): N(loc, diag(scale)^2) through autoregressive steps.

    Called on [loc, log_scale, context]: [batch, latent_dim] twice and
    [batch, context_dim]. A step turns z_j into (z_j - m_j) / s_j, m_j and s_j
    functions of z_1 ... z_(j-1) and of the context; the next step takes the
    dimensions from last to first. So a draw is one pass through the networks,
    but the log-density of a given z takes latent_dim passes, one by one.

    The mean and the deviation have no closed form: `mean()` and `stddev()` are
    those of 64 draws, of which half are at the noise of the other half negated.
    The noise is fixed and the same for all examples, so equal calls give equal
    results.

    Args:
      kl_regularizer: gives the KL to the prior; not exact.
      num_layers: number of steps.
      hidden_units: of the masked network of each step.

    References:
      Kingma et al., 2016. Improved Variational Inference with Inverse
      Autoregressive Flow, section 3. https://arxiv.org/abs/1606.04934
    """

    is_normal = False

    def __init__(
        self,
        kl_regularizer: KLRegularizer,
        *,
        num_layers: int = 2,
        hidden_units: Sequence[int] = (128, 128),
        name: str = "posterior",
    ) -> None:
        super().__init__(kl_regularizer, name=name)
        self.num_layers = num_layers
        self.hidden_units = list(hidden_units)

    @classmethod
    def head_units(cls, latent_dim: int) -> dict[str, int]:
        """See `Posterior.head_units`."""
        return {
            "loc": latent_dim,
            "log_scale": latent_dim,
            "context": CONTEXT_DIM,
        }

    def build(self, input_shape: list[tf.TensorShape]) -> None:
        """See `tf_keras.layers.Layer.build`."""
        latent_dim, context_dim = input_shape[0][-1], input_shape[2][-1]
        self.networks = [
            flows.autoregressive_network(
                latent_dim,
                context_dim,
                self.hidden_units,
                # By turns, so that every z_j comes to depend on all others.
                backwards=index % 2 == 1,
            )
            for index in range(self.num_layers)
        ]
        noise = np.random.default_rng(0).normal(
            size=[NUM_MEAN_DRAWS // 2, 1, latent_dim]
        )
        self._noise = np.concatenate([noise, -noise]).astype(np.float32)
        super().build(input_shape)

    def _prepared(self, inputs: list[tf.Tensor]) -> tfd.Distribution:
        loc, log_scale, context = inputs
        transform = self._transform(loc, log_scale, context)
        # q(z|x)
        posterior = _Flow(_standard_normals(loc), transform, name="flow")
        draws = transform.forward(self._noise)
        posterior.given_mean = tf.reduce_mean(draws, axis=0)
        posterior.given_stddev = tf.math.reduce_std(draws, axis=0)
        return posterior

    def _make_distribution(self, inputs: tfd.Distribution) -> tfd.Distribution:
        return inputs

    def _transform(
        self, loc: tf.Tensor, log_scale: tf.Tensor, context: tf.Tensor
    ) -> tfb.Bijector:
        """Returns T, from noise to z."""
        steps = [
            flows.inverse_autoregressive(network, context)
            for network in self.networks
        ]
        scale = tfb.Scale(
            log_scale=flows.bounded(log_scale, flows.LOG_SCALE_BOUND)
        )
        # A given z takes on the batch's shape here: the loop that inverts a
        # step cannot change a shape.
        spread = tfb.Shift(tf.zeros_like(loc))
        return tfb.Chain([spread, *reversed(steps), tfb.Shift(loc), scale])


class _Flow(tfd.TransformedDistribution):
    """A transformed distribution whose mean and deviation are given.

    Set after it is made: TFP takes arguments of a constructor for parameters.
    """

    given_mean: tf.Tensor
    given_stddev: tf.Tensor

    def _mean(self) -> tf.Tensor:
        return self.given_mean

    def _stddev(self) -> tf.Tensor:
        return self.given_stddev


POSTERIORS: dict[str, type[Posterior]] = {
    "diag": MultivariateNormalDiag,
    "tril": MultivariateNormalTriL,
    "iaf": InverseAutoregressiveFlow,
}


def _standard_normals(loc: tf.Tensor) -> tfd.Distribution:
    """Returns N(0, I) for each row of `loc`, [batch, latent_dim]."""
    one_dim = tfd.Normal(tf.zeros_like(loc[..., 0]), 1.0)
    return tfd.Sample(one_dim, loc.shape[-1:])
