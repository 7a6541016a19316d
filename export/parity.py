"""Does the saved model answer what the run itself computes, row for row?

The expected values come from the run's own methods in this process, the
answers from the saved files in a fresh process without TensorFlow's Python.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from export import trial_run
from export.signatures import DEFAULT, PARTS
from export.trial_run import Arrays
from tfvae import noise
from tfvae.errors import FailedError
from tfvae.examples import Examples
from tfvae.learner import Learner
from tfvae.vae import VAE

ROWS = 5  # of each request; a batch size that no setting has
TOLERANCE = 1e-5  # of a difference, relative to numbers above 1


class Expected:
    """What each signature ought to answer, from the methods of a run's model.

    Args:
      model: trained.
      card: the text that `describe` answers with.
    """

    def __init__(self, model: Learner, card: str) -> None:
        self.model, self.card = model, card

    def __call__(self, signature: str, inputs: Arrays) -> Arrays:
        """Returns the outputs by name; an image for a PNG."""
        inputs = dict(inputs)
        condition = {
            name: inputs.pop(name) for name in self.model.condition.inputs
            if name in inputs
        }  # fmt: skip
        values = getattr(self, f"_{signature}")(*inputs.values(), condition)
        return {name: np.asarray(value) for name, value in values.items()}

    def _decode(self, z: Any, condition: Arrays) -> dict[str, Any]:
        return {"x": self.model.decode(z, condition).mean()}

    def _decode_png(self, z: Any, condition: Arrays) -> dict[str, Any]:
        return {"png_bytes": self._decode(z, condition)["x"]}

    def _sample(self, seed: Any, condition: Arrays) -> dict[str, Any]:
        z = np.stack([self._draw(int(one)) for one in seed])
        return {"z": z, **self._decode(z, condition)}

    def _sample_png(self, seed: Any, condition: Arrays) -> dict[str, Any]:
        drawn = self._sample(seed, condition)
        return {"z": drawn["z"], "png_bytes": drawn["x"]}

    def _encode(self, x: Any, condition: Arrays) -> dict[str, Any]:
        if not isinstance(self.model, VAE):
            return {"loc": self.model.code(x, condition)}
        qz = self.model.encode(x, condition)
        return {"loc": qz.mean(), "scale": qz.stddev()}

    def _reconstruct(self, x: Any, condition: Arrays) -> dict[str, Any]:
        return {"x": self.model.reconstruct(x, condition)}

    def _score(self, x: Any, seed: Any, condition: Arrays) -> dict[str, Any]:
        eps = [self._normals(int(one), noise.EVALUATE) for one in seed]
        assert isinstance(self.model, VAE)
        terms = self.model.terms(x, tf.stack([eps]), condition)
        names = ("elbo", "log_likelihood", "kl")
        return {name: getattr(terms, name) for name in names}

    def _describe(self, row: Any, _: Arrays) -> dict[str, Any]:
        return {"card": np.array([self.card.encode()] * len(row), object)}

    def _normals(self, seed: int, stream: int) -> tf.Tensor:
        return tf.random.stateless_normal(
            [self.model.latent_dim], [seed, stream], alg=noise.ALGORITHM
        )

    def _draw(self, seed: int) -> tf.Tensor:
        """Returns one z ~ p(z)."""
        assert isinstance(self.model, VAE)
        if self.model.prior_layer.is_normal:
            return self._normals(seed, noise.SAMPLE)
        halves = np.array([seed], np.int64).view(np.int32)
        return self.model.prior.sample(seed=halves)


def make_inputs(
    inputs: Mapping[str, Mapping[str, tf.TensorSpec]],
    examples: Examples,
    *,
    latent_dim: int,
) -> dict[str, Arrays]:
    """Returns a request of 5 rows for each signature.

    Args:
      inputs: {signature: {name of an input: its shape and dtype}}.
      examples: at least 5.
      latent_dim: dimensions of z.
    """
    rng = np.random.default_rng(0)
    rows = examples.take(slice(ROWS))
    values = {
        "x": rows.x,
        "z": rng.normal(size=[ROWS, latent_dim]).astype(np.float32),
        # Negative ones and more than 32 bits, too.
        "seed": rng.integers(-(2**62), 2**62, ROWS),
        "row": np.arange(ROWS),
        **rows.condition,
    }
    return {
        signature: {
            name: values[name].astype(spec.dtype.as_numpy_dtype)
            for name, spec in specs.items()
        }
        for signature, specs in inputs.items()
    }


def check(
    folder: str, part: str, inputs: dict[str, Arrays], expected: Expected
) -> dict[str, float]:
    """Runs a saved model in a fresh process and compares what it answers.

    Args:
      folder: of the SavedModel, with its warm-up file, which is run, too.
      part: a key of `PARTS`.
      inputs: as `make_inputs` makes them.
      expected: of the run.

    Returns:
      {signature: the largest difference to the run}; relative for numbers
      above 1, without the rounding for a PNG.

    Raises:
      FailedError: a request failed, an answer differs by more than 1e-5 from
        the run's, or a row asked alone differs from the same row in a batch
        (a draw of `sample` in any bit).
    """
    requests = [*inputs.items()] + [
        (name, {key: value[row : row + 1] for key, value in values.items()})
        for name, values in inputs.items()
        for row in range(ROWS)
    ]
    answers = iter(trial_run.run(folder, requests))
    batches = {name: next(answers) for name in inputs}
    differences = {}
    for name, values in inputs.items():
        alone = [next(answers) for _ in range(ROWS)]
        same = PARTS[part] if name == DEFAULT else name
        wanted = expected(same, values)
        differences[name] = _worst(name, batches[name], wanted, "the run's")
        joined = {
            key: np.concatenate([answer[key] for answer in alone])
            for key in batches[name]
        }
        _worst(name, joined, batches[name], "those of its batch")
        if "seed" in values and "z" in joined:
            _same_bits(name, joined["z"], batches[name]["z"])
    return differences


def _worst(name: str, seen: Arrays, wanted: Arrays, whose: str) -> float:
    """Returns the largest difference; raises FailedError if it is too large."""
    if set(seen) != set(wanted):
        raise FailedError(
            f"signature {name} answers {sorted(seen)}, not {sorted(wanted)}; "
            "it was not published."
        )
    worst = 0.0
    for key, value in wanted.items():
        difference, tolerance = _difference(seen[key], value)
        if not difference <= tolerance:
            raise FailedError(
                f"output {key} of signature {name} differs by {difference:.3g} "
                f"from {whose} (at most {tolerance:g}); it was not published."
            )
        worst = max(worst, difference)
    return worst


def _difference(seen: np.ndarray, wanted: np.ndarray) -> tuple[float, float]:
    """Returns the largest difference, and how much it may be."""
    if seen.dtype == object and wanted.dtype != object:
        # What is more than a rounding to 255ths.
        excess = np.abs(_pixels(seen) / 255 - wanted).max() - 0.5 / 255
        return max(0.0, float(excess)), TOLERANCE
    if seen.shape != wanted.shape:
        return np.inf, TOLERANCE
    if wanted.dtype == object:
        return float(np.any(seen != wanted)), TOLERANCE
    scale = np.maximum(1, np.abs(wanted))
    return float((np.abs(seen - wanted) / scale).max()), TOLERANCE


def _pixels(png_bytes: np.ndarray) -> np.ndarray:
    """Returns images: [batch, height, width, channels], 0 to 255."""
    return np.stack([tf.io.decode_png(one).numpy() for one in png_bytes])


def _same_bits(name: str, seen: np.ndarray, wanted: np.ndarray) -> None:
    if seen.tobytes() != wanted.tobytes():
        raise FailedError(
            f"signature {name} draws another z for a seed alone than in a "
            "batch; it was not published."
        )
