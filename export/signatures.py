"""The functions that are served: a trained model as plain tensors in and out.

Row i of every output depends on row i of the inputs alone, so the server may
join requests into one batch, pad it and take it apart again. A draw is keyed
by its row's own seed; no function holds a state, a Python operation or an
assertion.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

import tensorflow as tf
import tf_keras
from tensorflow_probability import distributions as tfd

from export import lean
from tfvae import noise
from tfvae.condition import network_inputs
from tfvae.data.spec import DataSpec
from tfvae.distributions.posteriors import draw
from tfvae.learner import Learner
from tfvae.objectives.elbo import elbo
from tfvae.vae import VAE

PNG_CHANNELS = (1, 2, 3, 4)
DEFAULT = "serving_default"
PHILOX = tf.random.Algorithm[noise.ALGORITHM.upper()].value

Tensors: TypeAlias = dict[str, tf.Tensor]


class Kind(NamedTuple):
    """How a signature is made.

    Attributes:
      function: name of a method of `Servable`, from tensors to a flat dict.
      inputs: names of its inputs, less those of the condition.
      parts: the servables that have it.
      needs: what the model must have, beside an encoder and a decoder.
      conditional: whether it takes the condition's inputs.
    """

    function: str
    inputs: tuple[str, ...]
    parts: tuple[str, ...]
    needs: frozenset[str] = frozenset()
    conditional: bool = True


BOTH, VAE_ONLY = ("decoder", "vae"), ("vae",)
PRIOR, PNG = frozenset({"prior"}), frozenset({"png"})
SIGNATURES: dict[str, Kind] = {
    "decode": Kind("decode", ("z",), BOTH),
    "decode_png": Kind("decode_png", ("z",), BOTH, PNG),
    "sample": Kind("sample", ("seed",), BOTH, PRIOR),
    "sample_png": Kind("sample_png", ("seed",), BOTH, PRIOR | PNG),
    "encode": Kind("encode", ("x",), VAE_ONLY),
    "reconstruct": Kind("reconstruct", ("x",), VAE_ONLY),
    "score": Kind("score", ("x", "seed"), VAE_ONLY, PRIOR),
    "describe": Kind("describe", ("row",), BOTH, conditional=False),
}
PARTS = {"decoder": "decode", "vae": "encode"}  # and what each does by default


class Servable:
    """A trained model's functions, and the variables that they read.

    Args:
      model: trained.
      spec: of its data.
      part: a key of `PARTS`.
      card: the text that `describe` answers with.

    Attributes:
      inputs: {signature: {name of an input: its shape and dtype}}.
      signatures: {name: concrete function}, each input and output with a free
        batch dimension first.
      variables: that the functions read, each once.
    """

    def __init__(
        self, model: Learner, spec: DataSpec, *, part: str, card: str
    ) -> None:
        functions = _Functions(model, spec.event_shape, card)
        specs = {
            "x": tf.TensorSpec([None, *spec.event_shape], tf.float32),
            "z": tf.TensorSpec([None, model.latent_dim], tf.float32),
            "seed": tf.TensorSpec([None], tf.int64),
            "row": tf.TensorSpec([None], tf.int64),
            **model.condition.inputs,
        }
        has = {"prior"} if isinstance(model, VAE) else set()
        if draws_png(spec):
            has.add("png")
        kinds = {
            name: kind
            for name, kind in SIGNATURES.items()
            if part in kind.parts and kind.needs <= has
        }
        conditions = tuple(model.condition.inputs)
        self.inputs = {
            name: {
                of: specs[of]
                for of in (*kind.inputs, *conditions * kind.conditional)
            }
            for name, kind in kinds.items()
        }
        self.signatures = {
            name: _trace(getattr(functions, kind.function), self.inputs[name])
            for name, kind in kinds.items()
        }
        self.inputs[DEFAULT] = self.inputs[PARTS[part]]
        self.signatures[DEFAULT] = self.signatures[PARTS[part]]
        read = {
            id(tensor)
            for function in self.signatures.values()
            for tensor in function.captured_inputs
        }
        self.variables = [v for v in model.variables if id(v.handle) in read]

    def save(self, folder: str) -> None:
        """Writes a SavedModel.

        Nothing hangs on its root but the variables, so neither an optimizer's
        slots nor a layer's own endpoints are saved with them.

        Args:
          folder: that does not exist, or is empty.
        """
        root = tf.Module()
        root.variables_read = self.variables
        tf.saved_model.save(
            root,
            folder,
            signatures=self.signatures,
            # A gradient takes more of the file than a function it is of.
            options=tf.saved_model.SaveOptions(
                experimental_custom_gradients=False
            ),
        )


class _Networks:
    """Encoder and decoder up to their distributions: plain layers."""

    def __init__(self, model: Learner) -> None:
        self.model = model
        self._decoder = _up_to_last_layer(model.decoder)
        if isinstance(model, VAE):
            self._encoder = _up_to_last_layer(model.encoder)

    def posterior(self, x: tf.Tensor, condition: Tensors) -> tfd.Distribution:
        """Returns q(z|x): batch_shape [batch]."""
        heads = self._encoder(network_inputs("x", x, condition))
        return self.model.encoder.layers[-1].distribution(heads)

    def likelihood(self, z: tf.Tensor, condition: Tensors) -> tfd.Distribution:
        """Returns p(x|z): batch_shape [batch]."""
        parameters = self._decoder(network_inputs("z", z, condition))
        px = self.model.likelihood.distribution(parameters)
        return self.model.condition.complete(px, condition)


class _Functions:
    """What the signatures compute; a method takes its inputs by name."""

    def __init__(
        self, model: Learner, event_shape: tuple[int, ...], card: str
    ) -> None:
        self.model, self.networks = model, _Networks(model)
        self.event_shape, self.card = event_shape, card

    def decode(self, z: tf.Tensor, **condition: tf.Tensor) -> Tensors:
        x = self.networks.likelihood(z, condition).mean()
        x.set_shape([None, *self.event_shape])  # some means have lost it
        return {"x": x}

    def decode_png(self, z: tf.Tensor, **condition: tf.Tensor) -> Tensors:
        return {"png_bytes": _png(self.decode(z, **condition)["x"])}

    def sample(self, seed: tf.Tensor, **condition: tf.Tensor) -> Tensors:
        z = _prior_rows(self.model, seed)
        return {"z": z, **self.decode(z, **condition)}

    def sample_png(self, seed: tf.Tensor, **condition: tf.Tensor) -> Tensors:
        drawn = self.sample(seed, **condition)
        return {"z": drawn["z"], "png_bytes": _png(drawn["x"])}

    def encode(self, x: tf.Tensor, **condition: tf.Tensor) -> Tensors:
        if not isinstance(self.model, VAE):
            return {"loc": self.model.code(x, condition)}
        qz = self.networks.posterior(x, condition)
        return {"loc": qz.mean(), "scale": qz.stddev()}

    def reconstruct(self, x: tf.Tensor, **condition: tf.Tensor) -> Tensors:
        return self.decode(self.encode(x, **condition)["loc"], **condition)

    def score(
        self, x: tf.Tensor, seed: tf.Tensor, **condition: tf.Tensor
    ) -> Tensors:
        qz = self.networks.posterior(x, condition)
        # z = T(eps),  eps ~ N(0, I), one draw a row
        eps = row_normals(seed, noise.EVALUATE, self.model.latent_dim)
        z, log_posterior = draw(qz, eps)
        log_likelihood = self.networks.likelihood(z, condition).log_prob(x)
        kl = self.model.kl_regularizer(
            qz,
            z[tf.newaxis],
            log_posterior[tf.newaxis],
            self.model.prior.log_prob(z)[tf.newaxis],
        )
        return {
            "elbo": elbo(log_likelihood, kl),
            "log_likelihood": log_likelihood,
            "kl": kl,
        }

    def describe(self, row: tf.Tensor) -> Tensors:
        return {"card": tf.fill(tf.shape(row), self.card)}


def draws_png(spec: DataSpec) -> bool:
    """Whether x is an image that a PNG can hold."""
    return (
        spec.is_image
        and spec.support != "real"
        and spec.event_shape[-1] in PNG_CHANNELS
    )


def row_normals(seed: tf.Tensor, stream: int, num_dims: int) -> tf.Tensor:
    """Returns e ~ N(0, I) by rows: [batch, num_dims].

    Args:
      seed: [batch] int64; row i depends on seed[i] alone.
      stream: of random numbers; different streams are independent.
      num_dims: of each draw.
    """

    def row(one: tf.Tensor) -> tf.Tensor:
        # What tf.random.stateless_normal does for Philox, in two operations.
        key, counter = tf.raw_ops.StatelessRandomGetKeyCounter(
            seed=tf.stack([one, tf.constant(stream, tf.int64)])
        )
        return tf.raw_ops.StatelessRandomNormalV2(
            shape=[num_dims], key=key, counter=counter, alg=PHILOX
        )

    return tf.map_fn(
        row, seed, fn_output_signature=tf.TensorSpec([num_dims], tf.float32)
    )


def _prior_rows(model: VAE, seed: tf.Tensor) -> tf.Tensor:
    """Returns z ~ p(z) by rows: [batch, latent_dim]; row i has seed[i]."""
    if model.prior_layer.is_normal:
        return row_normals(seed, noise.SAMPLE, model.latent_dim)
    prior = model.prior

    def row(one: tf.Tensor) -> tf.Tensor:
        # TFP takes two int32; both halves of the seed count.
        return prior.sample(seed=tf.bitcast(one, tf.int32))

    return tf.map_fn(
        row,
        seed,
        fn_output_signature=tf.TensorSpec([model.latent_dim], tf.float32),
    )


def _png(x: tf.Tensor) -> tf.Tensor:
    """Returns the PNG of each image in [0, 1]: [batch] strings."""
    return tf.io.encode_png(tf.cast(tf.round(255 * x), tf.uint8))


def _up_to_last_layer(network: tf_keras.Model) -> tf_keras.Model:
    return tf_keras.Model(network.input, network.layers[-1].input)


def _trace(
    function: Callable[..., Tensors], specs: Mapping[str, tf.TensorSpec]
) -> Any:
    """Returns the concrete function of named inputs."""
    named = [
        tf.TensorSpec(spec.shape, spec.dtype, name=name)
        for name, spec in specs.items()
    ]

    def by_name(*values: tf.Tensor) -> Tensors:
        return function(**dict(zip(specs, values, strict=True)))

    return lean.trace(by_name, named)
