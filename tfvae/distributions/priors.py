"""p(z): layers that own a prior's variables and make its distribution.

A prior is one entry of `PRIORS`; whoever needs p(z) asks for `distribution()`.
"""

import functools
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
import tf_keras
from tensorflow_probability import bijectors as tfb
from tensorflow_probability import distributions as tfd
from tf_keras import layers as tfkl

from tfvae.distributions import flows


class Prior(tfkl.Layer):
    """p(z) over one z: batch_shape [], event_shape [latent_dim].

    Args:
      latent_dim: dimensions of z.

    Attributes:
      is_normal: p(z) is a multivariate normal of TFP, to which a normal
        posterior has a KL in closed form.
      takes_examples: it begins at examples of the data, `initial` below.
    """

    is_normal = False
    takes_examples = False

    def __init__(self, latent_dim: int, *, name: str = "prior") -> None:
        super().__init__(name=name, dtype="float32")
        self.latent_dim = latent_dim

    @classmethod
    def for_model(
        cls,
        latent_dim: int,
        *,
        num_components: int,
        event_shape: tuple[int, ...],
        initial: np.ndarray | None,
        unit_interval: bool,
    ) -> "Prior":
        """Returns the prior of a model, made from what this kind needs of it.

        Args:
          latent_dim: dimensions of z.
          num_components: of a mixture.
          event_shape: of one x.
          initial: [num_components, *event_shape], examples; or None.
          unit_interval: x lies in [0, 1].
        """
        del num_components, event_shape, initial, unit_interval
        return cls(latent_dim)

    def bind(self, encoder: tf_keras.Model) -> None:
        """Takes note of the encoder, for priors that are made of posteriors.

        Args:
          encoder: from x to q(z|x).
        """

    def distribution(self) -> tfd.Distribution:
        """Returns p(z), from the variables as they are now."""
        raise NotImplementedError


class StandardNormal(Prior):
    """p(z) = N(0, I)."""

    is_normal = True

    def distribution(self) -> tfd.Distribution:
        """See `Prior.distribution`."""
        return _standard_normal(self.latent_dim)


class Mixture(Prior):
    """p(z) = sum_k w_k N(m_k, diag(s_k)^2), all three trainable.

    Equal weights, unit scales and locations from N(0, I) at the start.

    Args:
      latent_dim: dimensions of z.
      num_components: of the mixture.

    Raises:
      ValueError: no component.
    """

    def __init__(self, latent_dim: int, num_components: int) -> None:
        super().__init__(latent_dim)
        _check_num_components(num_components)
        self.logits = self.add_weight(
            "logits", [num_components], initializer="zeros"
        )
        shape = [num_components, latent_dim]
        self.locs = self.add_weight(
            "locs", shape, initializer=tf_keras.initializers.RandomNormal(0, 1)
        )
        self.log_scales = self.add_weight(
            "log_scales", shape, initializer="zeros"
        )

    @classmethod
    def for_model(
        cls, latent_dim: int, *, num_components: int, **unused: object
    ) -> "Mixture":
        """See `Prior.for_model`."""
        return cls(latent_dim, num_components)

    def distribution(self) -> tfd.Distribution:
        """See `Prior.distribution`."""
        log_scales = tf.convert_to_tensor(self.log_scales)
        components = tfd.MultivariateNormalDiag(
            loc=tf.convert_to_tensor(self.locs),
            scale_diag=tf.exp(flows.bounded(log_scales, flows.LOG_SCALE_BOUND)),
        )
        return _mixture(self.logits, components)


class VampPrior(Prior):
    """p(z) = sum_k w_k q(z|u_k), a mixture of the encoder's own posteriors.

    The pseudo-inputs u_k and the weights w_k are trainable; the weights are
    equal at the start. q(z|u_k) is the encoder's outside of training: dropout
    is off and batch normalisation leaves its averages alone.

    Args:
      latent_dim: dimensions of z.
      num_components: number of pseudo-inputs.
      event_shape: of one x.
      initial: [num_components, *event_shape], pseudo-inputs at the start, such
        as examples; None: draws near 0.5.
      unit_interval: hold every pseudo-input in [0, 1].

    Raises:
      ValueError: no component, or `initial` of another shape.

    References:
      Tomczak and Welling, 2018. VAE with a VampPrior, section 3.
      https://arxiv.org/abs/1705.07120
    """

    takes_examples = True

    def __init__(
        self,
        latent_dim: int,
        num_components: int,
        event_shape: Sequence[int],
        initial: np.ndarray | None = None,
        *,
        unit_interval: bool = False,
    ) -> None:
        super().__init__(latent_dim)
        _check_num_components(num_components)
        shape = (num_components, *event_shape)
        if initial is not None and np.shape(initial) != shape:
            raise ValueError(
                "`initial` must hold one x for each component, shape "
                f"{shape}; got {np.shape(initial)}."
            )
        self.logits = self.add_weight(
            "logits", [num_components], initializer="zeros"
        )
        self.pseudo_inputs = self.add_weight(
            "pseudo_inputs",
            shape,
            initializer=tf_keras.initializers.RandomUniform(0.4, 0.6)
            if initial is None
            else tf.constant_initializer(
                np.clip(initial, 0, 1) if unit_interval else initial
            ),
            # Not clipped at use, where a pixel that has left [0, 1] would get
            # no gradient and never return.
            constraint=_to_unit_interval if unit_interval else None,
        )

    @classmethod
    def for_model(
        cls,
        latent_dim: int,
        *,
        num_components: int,
        event_shape: tuple[int, ...],
        initial: np.ndarray | None,
        unit_interval: bool,
    ) -> "VampPrior":
        """See `Prior.for_model`."""
        return cls(
            latent_dim,
            num_components,
            event_shape,
            initial,
            unit_interval=unit_interval,
        )

    def bind(self, encoder: tf_keras.Model) -> None:
        """See `Prior.bind`; the encoder's variables stay its own."""
        self._posterior_fn = functools.partial(encoder, training=False)

    def distribution(self) -> tfd.Distribution:
        """See `Prior.distribution`.

        Raises:
          ValueError: before `bind`.
        """
        if not hasattr(self, "_posterior_fn"):
            raise ValueError(
                "`VampPrior` needs an encoder; call `bind(encoder)`, as "
                "`make_encoder` does."
            )
        # q(z|u)
        components = self._posterior_fn(
            tf.convert_to_tensor(self.pseudo_inputs)
        )
        return _mixture(self.logits, components)


class RealNVP(Prior):
    """p(z): N(0, I) through affine couplings, between them a reversal.

    Each coupling leaves the first half of the dimensions, and from it computes
    a shift and a bounded log-scale of the rest. At the start p(z) = N(0, I).

    Args:
      latent_dim: dimensions of z.
      num_layers: number of couplings.
      hidden_units: of the networks of each coupling.

    Raises:
      ValueError: one latent dimension, of which there is no half.

    References:
      Dinh et al., 2017. Density estimation using Real NVP, section 3.
      https://arxiv.org/abs/1605.08803
    """

    def __init__(
        self,
        latent_dim: int,
        num_layers: int = 4,
        hidden_units: Sequence[int] = (64, 64),
    ) -> None:
        super().__init__(latent_dim)
        if latent_dim < 2:
            raise ValueError(
                "`latent_dim` must be at least 2 for a RealNVP prior; got "
                f"{latent_dim}."
            )
        self.networks = [
            flows.coupling_network(latent_dim, hidden_units)
            for _ in range(num_layers)
        ]

    def distribution(self) -> tfd.Distribution:
        """See `Prior.distribution`."""
        reversal = tfb.Permute(list(reversed(range(self.latent_dim))))
        steps: list[tfb.Bijector] = []
        for network in self.networks:
            steps += [flows.coupling(network), reversal]
        return tfd.TransformedDistribution(
            _standard_normal(self.latent_dim), tfb.Chain(steps)
        )


PRIORS: dict[str, type[Prior]] = {
    "standard_normal": StandardNormal,
    "mixture": Mixture,
    "vamp": VampPrior,
    "realnvp": RealNVP,
}


def _standard_normal(latent_dim: int) -> tfd.Distribution:
    return tfd.MultivariateNormalDiag(
        loc=tf.zeros([latent_dim]), scale_diag=tf.ones([latent_dim])
    )


def _mixture(
    logits: tf.Variable, components: tfd.Distribution
) -> tfd.Distribution:
    return tfd.MixtureSameFamily(
        tfd.Categorical(logits=tf.convert_to_tensor(logits)), components
    )


def _check_num_components(num: int) -> None:
    if num < 1:
        raise ValueError(f"`num_components` must be at least 1; got {num}.")


def _to_unit_interval(x: tf.Tensor) -> tf.Tensor:
    return tf.clip_by_value(x, 0.0, 1.0)
