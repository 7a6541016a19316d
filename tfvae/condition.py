"""What the networks are told beside x and z: nothing, a class, a seen part.

A condition's values are a dict of tensors by name, batch first; the names are
those of the models' inputs.
"""

import math
from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf
import tf_keras
from tensorflow_probability import distributions as tfd
from tf_keras import initializers
from tf_keras import layers as tfkl

from tfvae.distributions.completed import Completed

# At the start y moves the decoder's first layer LABEL_GAIN times as much as all
# of z does, else z learns to tell the classes itself, and a draw of z decodes
# to another class than y; and a plane is about as bright as an image.
LABEL_GAIN = 4.0
PLANE = 0.3

Values: TypeAlias = dict[str, Any]
Shape: TypeAlias = tuple[int, ...]


class Condition:
    """No condition: q(z|x), p(x|z); the base of the others.

    Attributes:
      name: as `--condition` takes it.
      needs: what y of a data set must hold, in words.
      inputs: {name: what one example gives}, each with its batch axis.
      num_classes: of a label; 0 where there is none.
    """

    name = "none"
    needs = ""
    num_classes = 0

    def __init__(self) -> None:
        self.inputs: dict[str, tf.TensorSpec] = {}

    def values(self, x: Any, y: Any) -> Values:
        """Returns the condition of a batch of data.

        Args:
          x: [batch, *event_shape].
          y: what `needs` says, or None where nothing is needed.

        Raises:
          ValueError: no y where there must be one.
        """
        del x, y
        return {}

    def check(self, values: Mapping[str, Any] | None) -> Values:
        """Returns `values` as float32 and int64 tensors.

        Raises:
          ValueError: a name is missing, or unknown.
        """
        values = dict(values or {})
        if set(values) != set(self.inputs):
            raise ValueError(
                f"`condition` must hold {_listed(self.inputs)}; got "
                f"{_listed(values)}."
            )
        return {
            name: tf.cast(values[name], spec.dtype)
            for name, spec in self.inputs.items()
        }

    def keras_inputs(self) -> dict[str, tf.Tensor]:
        """Returns a functional model's inputs, by name."""
        return {
            name: tfkl.Input(spec.shape[1:], name=name, dtype=spec.dtype)
            for name, spec in self.inputs.items()
        }

    def beside_x(self, x: tf.Tensor, values: Values) -> tf.Tensor:
        """Returns what an encoder's trunk is given: [batch, ...].

        Args:
          x: [batch, *event_shape].
          values: of `keras_inputs`.
        """
        del values
        return x

    def beside_z(self, z: tf.Tensor, values: Values) -> tf.Tensor:
        """Returns what a decoder's trunk is given: [batch, features].

        Args:
          z: [batch, latent_dim].
          values: of `keras_inputs`.
        """
        del values
        return z

    def hidden(self, values: Values) -> tf.Tensor | None:
        """Returns which dimensions are not known: 1 or 0; None: all."""
        del values
        return None

    def complete(self, px: tfd.Distribution, values: Values) -> Any:
        """Returns p(x|z, condition), given what the decoder makes of both."""
        del values
        return px


class Label(Condition):
    """q(z|x, y), p(x|z, y) with y a class, one-hot in both networks.

    Beside images the encoder's trunk gets y as one more channel, a trainable
    plane for each class; beside vectors the one-hot y itself; z gets it with a
    gain.

    Args:
      event_shape: of one x.
      num_classes: y runs from 0 to num_classes - 1.
    """

    name = "label"
    needs = "labels"

    def __init__(self, event_shape: Shape, num_classes: int) -> None:
        super().__init__()
        self.event_shape, self.num_classes = event_shape, num_classes
        self.inputs = {"label": tf.TensorSpec([None], tf.int64)}

    def values(self, x: Any, y: Any) -> Values:
        """See `Condition.values`."""
        return {"label": _given(y, self)}

    def beside_x(self, x: tf.Tensor, values: Values) -> tf.Tensor:
        """See `Condition.beside_x`."""
        y = OneHot(self.num_classes)(values["label"])
        if len(self.event_shape) == 3:
            height, width, _ = self.event_shape
            y = tfkl.Dense(
                height * width,
                use_bias=False,
                kernel_initializer=initializers.RandomNormal(stddev=PLANE),
                name="label_plane",
            )(y)
            y = tfkl.Reshape([height, width, 1])(y)
        return tfkl.Concatenate(name="x_and_label")([x, y])

    def beside_z(self, z: tf.Tensor, values: Values) -> tf.Tensor:
        """See `Condition.beside_z`."""
        y = OneHot(self.num_classes, LABEL_GAIN * math.sqrt(z.shape[-1]))(
            values["label"]
        )
        return tfkl.Concatenate(name="z_and_label")([z, y])


class Mask(Condition):
    """q(z|x, seen part), p(x|z, seen part), with a prior that knows neither.

    The encoder's trunk gets x, its seen part and the mask as channels; the
    decoder's trunk gets z and the features of the seen part. log p(x|z) is
    that of the hidden pixels, and the mean keeps the seen ones as they are.

    Args:
      event_shape: (height, width, channels).
      trunk: from [batch, height, width, channels + 1], the seen part and the
        mask, to features of any rank; None for an encoder alone.

    References:
      Sohn et al., 2015. Learning Structured Output Representation using Deep
      Conditional Generative Models; there the prior depends on the seen part.
    """

    name = "mask"
    needs = "masks [batch, height, width, 1], 1 = seen"

    def __init__(
        self, event_shape: Shape, trunk: tfkl.Layer | None = None
    ) -> None:
        super().__init__()
        self.event_shape, self.trunk = event_shape, trunk
        self.inputs = {
            "image": tf.TensorSpec([None, *event_shape], tf.float32),
            "mask": tf.TensorSpec([None, *event_shape[:2], 1], tf.float32),
        }

    def values(self, x: Any, y: Any) -> Values:
        """See `Condition.values`."""
        return {"image": x, "mask": _given(y, self)}

    def beside_x(self, x: tf.Tensor, values: Values) -> tf.Tensor:
        """See `Condition.beside_x`."""
        seen = SeenPart()([values["image"], values["mask"]])
        return tfkl.Concatenate(name="x_and_seen")([x, seen])

    def beside_z(self, z: tf.Tensor, values: Values) -> tf.Tensor:
        """See `Condition.beside_z`."""
        assert self.trunk is not None
        # Wrapped, as it may have the name of the decoder's own trunk.
        trunk = tf_keras.Sequential([self.trunk], name="seen_trunk")
        features = trunk(SeenPart()([values["image"], values["mask"]]))
        features = tfkl.Flatten(dtype="float32", name="seen_features")(features)
        return tfkl.Concatenate(name="z_and_seen")([z, features])

    def hidden(self, values: Values) -> tf.Tensor:
        """See `Condition.hidden`: [batch, height, width, 1]."""
        return tf.cast(values["mask"] <= 0.5, tf.float32)

    def complete(self, px: tfd.Distribution, values: Values) -> Completed:
        """See `Condition.complete`."""
        return Completed(px, values["image"], values["mask"])


class OneHot(tfkl.Layer):
    """Class y, [batch] integers, to [batch, num_classes] float32."""

    def __init__(self, num_classes: int, on_value: float = 1.0) -> None:
        super().__init__(dtype="float32")
        self.num_classes, self.on_value = num_classes, on_value

    def call(self, y: tf.Tensor) -> tf.Tensor:
        """Returns `on_value` at y, else 0; all 0 for a class out of range."""
        return tf.one_hot(y, self.num_classes, on_value=self.on_value)


class SeenPart(tfkl.Layer):
    """(image, mask) to [batch, height, width, channels + 1] float32.

    Hidden pixels become 0, whatever they held; the mask is the last channel.
    """

    def __init__(self) -> None:
        super().__init__(dtype="float32")

    def call(self, inputs: list[tf.Tensor]) -> tf.Tensor:
        """Returns the seen part, and the mask as 0 and 1."""
        image, mask = inputs
        seen = mask > 0.5
        return tf.concat(
            [tf.where(seen, image, 0.0), tf.cast(seen, tf.float32)], axis=-1
        )


def network_inputs(name: str, value: Any, values: Values) -> Any:
    """Returns what a functional encoder or decoder is called with.

    Args:
      name: "x" or "z".
      value: of it.
      values: of the condition.
    """
    return {name: value, **values} if values else value


def repeated(values: Values, num: int) -> Values:
    """Returns the values `num` times in a row: [num * batch, ...] each."""
    return {
        name: np.tile(value, [num] + [1] * (value.ndim - 1))
        if isinstance(value, np.ndarray)
        else tf.tile(value, [num] + [1] * (len(value.shape) - 1))
        for name, value in values.items()
    }


def _given(y: Any, condition: Condition) -> Any:
    if y is None:
        raise ValueError(
            f"condition={condition.name} needs {condition.needs} as y; got "
            "none; give them beside x, as fit(x, y)."
        )
    return y


def _listed(names: Mapping[str, Any]) -> str:
    return " and ".join(f"`{name}`" for name in names) or "nothing"
