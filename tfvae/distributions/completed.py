"""p(x|z, seen part): what is seen is known, the rest is distributed."""

from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability import distributions as tfd


class Completed(tfd.Distribution):
    """x equals `image` where `mask` is 1, and follows `px` elsewhere.

    log_prob(x) = sum over hidden dimensions of log p(x_i|z), so that with a
    bound on the KL it bounds log p(hidden part | seen part), which is
    log p(whole x | seen part). What is seen is not looked at in x again.

    Args:
      px: p(x|z) of every dimension, batch_shape [..., batch], event_shape
        [height, width, channels], the dimensions independent.
      image: [..., batch, height, width, channels]; its hidden pixels are not
        used.
      mask: [..., batch, height, width, 1], 1 = seen, 0 = hidden.
    """

    def __init__(
        self,
        px: tfd.Distribution,
        image: tf.Tensor,
        mask: tf.Tensor,
        name: str = "Completed",
    ) -> None:
        parameters = {"px": px, "image": image, "mask": mask}
        # What a distribution layer returns is wrapped, which hides its class.
        px = getattr(px, "tensor_distribution", px)
        self._px, self._per_dim = px, px.distribution
        self.image, self.mask = image, mask
        super().__init__(
            dtype=tf.float32,
            reparameterization_type=px.reparameterization_type,
            validate_args=False,
            allow_nan_stats=True,
            parameters=parameters,
            name=name,
        )

    @classmethod
    def _parameter_properties(cls, dtype: Any, num_classes: Any = None) -> Any:
        return {
            "px": tfp.util.BatchedComponentProperties(),
            "image": tfp.util.ParameterProperties(event_ndims=3),
            "mask": tfp.util.ParameterProperties(event_ndims=3),
        }

    def _event_shape(self) -> tf.TensorShape:
        return self._px.event_shape

    def _event_shape_tensor(self) -> tf.Tensor:
        return self._px.event_shape_tensor()

    def _log_prob(self, x: tf.Tensor) -> tf.Tensor:
        hidden = self.mask <= 0.5
        log_prob = tf.where(hidden, self._per_dim.log_prob(x), 0.0)
        return tf.reduce_sum(log_prob, axis=[-3, -2, -1])

    def _mean(self) -> tf.Tensor:
        return self._with_seen(self._px.mean())

    def _variance(self) -> tf.Tensor:
        return tf.where(self.mask <= 0.5, self._px.variance(), 0.0)

    def _sample_n(self, n: tf.Tensor, seed: Any = None) -> tf.Tensor:
        return self._with_seen(self._px.sample(n, seed=seed))

    def _with_seen(self, x: tf.Tensor) -> tf.Tensor:
        return tf.where(self.mask <= 0.5, x, self.image)
