"""FLOPs of training: against numbers by hand, and TensorFlow's own counter."""

from typing import Any

import pytest
import tensorflow as tf
from tensorflow.compat.v1 import profiler

from tfvae import build, resolve
from tfvae.config import Config
from tfvae.data.spec import DataSpec
from tfvae.learner import Learner
from tfvae.profiling import flops

VECTORS = DataSpec((7,), None, "binary")
IMAGES = DataSpec((6, 5, 1), 3, "unit")
# Sides that can be halved: of others TensorFlow's counter rounds.
HALVED = DataSpec((8, 4, 1), 3, "unit")
BATCH = 3


def _model(spec: DataSpec, **settings: Any) -> Learner:
    config = Config(**settings, latent_dim=2)
    config = resolve.resolve(config, spec, num_examples=11, num_replicas=1)
    return build.build_model(config, spec)


def _dense(units_in: int, units: int) -> int:
    return 2 * units_in * units


@pytest.mark.parametrize("num_samples", [1, 4])
def test_dense_networks_by_hand(num_samples: int) -> None:
    model = _model(
        VECTORS, architecture="mlp", hidden_units=(5,), num_samples=num_samples
    )
    # 7-5, the first: forward and weights; 5-2 twice (loc, log_scale): all three
    encoder = 2 * _dense(7, 5) + 3 * 2 * _dense(5, 2)
    decoder = 3 * (_dense(2, 5) + _dense(5, 7))  # 2-5-7, from z
    assert flops.training_flops(model) == encoder + num_samples * decoder


def test_autoencoder_decodes_once() -> None:
    model = _model(VECTORS, architecture="mlp", hidden_units=(5,), model="ae")
    encoder = 2 * _dense(7, 5) + 3 * _dense(5, 2)
    decoder = 3 * (_dense(2, 5) + _dense(5, 7))
    assert flops.training_flops(model) == encoder + decoder


def test_convolutions_by_hand() -> None:
    model = _model(
        IMAGES, architecture="conv", filters=(2, 4), hidden_units=(8,),
        likelihood="bernoulli",
    )  # fmt: skip
    # 6x5x1 to 3x3x2 to 2x2x4, kernels of 3x3, then 16-8, and 8-2 twice
    first = 2 * (3 * 3) * 9 * 1 * 2
    second = 2 * (2 * 2) * 9 * 2 * 4
    dense = _dense(16, 8) + 2 * _dense(8, 2)
    encoder = 2 * first + 3 * (second + dense)
    # 2-8-16; 2x2x4 to 4x4x4, cropped to 3x3; to 6x6x2, cropped to 6x5; head
    up = 2 * (2 * 2) * 9 * 4 * 4 + 2 * (3 * 3) * 9 * 4 * 2
    head = 2 * (6 * 5) * 9 * 2 * 1
    decoder = 3 * (_dense(2, 8) + _dense(8, 16) + up + head)
    assert flops.training_flops(model) == encoder + decoder


def test_first_layer_behind_a_learned_plane_has_both_gradients() -> None:
    model = _model(
        IMAGES, architecture="mlp", hidden_units=(8,), condition="label"
    )
    plane = 2 * _dense(3, 30)  # of the class: nothing learns before it
    encoder = plane + 3 * (_dense(60, 8) + 2 * _dense(8, 2))
    decoder = 3 * (_dense(5, 8) + _dense(8, 30))  # z and class
    assert flops.training_flops(model) == encoder + decoder


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "unneeded"),
    [
        ({"architecture": "mlp", "objective": "iwae", "num_samples": 5}, 0),
        # TensorFlow's graph holds the gradient to x, which is not run, too:
        # 4x2 places, a kernel of 3x3 from 1 channel to 2; with a mask, from 3
        # in the encoder, and from 2 in the stack that reads the seen part.
        ({"architecture": "conv"}, 2 * 8 * 9 * 2),
        ({"architecture": "conv", "condition": "mask"}, 2 * 8 * 9 * 2 * 5),
    ],
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tensorflow_counts_the_same(
    settings: dict[str, Any], unneeded: int
) -> None:
    model = _model(
        HALVED, filters=(2, 4), hidden_units=(5,), likelihood="bernoulli",
        **settings,
    )  # fmt: skip
    x = tf.TensorSpec([BATCH, *HALVED.event_shape])
    y = {
        "label": tf.TensorSpec([BATCH], tf.int64),
        "mask": tf.TensorSpec([BATCH, *HALVED.event_shape]),
    }.get(settings.get("condition", "none"))
    step = tf.function(model.train_step)
    graph = step.get_concrete_function(x if y is None else (x, y)).graph
    counted = BATCH * (flops.training_flops(model) + unneeded)
    assert counted == _counted_by_tensorflow(graph)


def _counted_by_tensorflow(graph: tf.Graph) -> int:
    """Returns the FLOPs of all matrix products and convolutions of a graph."""
    options = (
        profiler.ProfileOptionBuilder(
            profiler.ProfileOptionBuilder.float_operation()
        )
        .with_empty_output()
        .build()
    )
    pending, total = [profiler.profile(graph, options=options)], 0
    kinds = {operation.name: operation.type for operation in
             graph.get_operations()}  # fmt: skip
    while pending:
        node = pending.pop()
        pending += node.children
        if kinds.get(node.name, "").startswith(("MatMul", "Conv2D")):
            total += node.float_ops
    return total
