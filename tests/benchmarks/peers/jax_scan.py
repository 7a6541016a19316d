"""JAX by hand: an epoch is one compiled scan over data that stay on the device.

State and optimizer are donated, so that they are updated in place; a last short
batch is left out, as its shape would be compiled for itself. Convolutions are
matrix products of patches: XLA's own, and their gradients above all, are many
times slower on a CPU, within a scan and outside one.
"""

import functools
import time
from collections.abc import Callable
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
from jax import lax

from tests.benchmarks.peers import task as task_lib
from tests.benchmarks.peers.task import Task

Shapes: TypeAlias = dict[str, tuple[int, ...]]
LossFn: TypeAlias = Callable[[Any, jax.Array, jax.Array], jax.Array]

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-7
MLP: Shapes = {
    "hidden_1": (784, 512), "hidden_2": (512, 512), "code": (512, 32),
    "back_1": (16, 512), "back_2": (512, 512), "logits": (512, 784),
}  # fmt: skip
CONV: Shapes = {
    "down_1": (3, 3, 1, 32), "down_2": (3, 3, 32, 64), "hidden": (3136, 16),
    "code": (16, 4), "back": (2, 3136), "up_1": (3, 3, 64, 64),
    "up_2": (3, 3, 64, 32), "logits": (3, 3, 32, 1),
}  # fmt: skip


def init(shapes: Shapes, key: jax.Array) -> Any:
    """Returns (weights, bias) of each layer, weights by Glorot's uniform."""
    glorot = jax.nn.initializers.glorot_uniform()
    keys = jax.random.split(key, len(shapes))
    return {
        name: (glorot(key, shape), jnp.zeros(shape[-1]))
        for key, (name, shape) in zip(keys, shapes.items(), strict=True)
    }


def dense(layer: Any, x: jax.Array) -> jax.Array:
    """Returns x W + b."""
    weights, bias = layer
    return x @ weights + bias


def conv(layer: Any, x: jax.Array, stride: int) -> jax.Array:
    """Returns a convolution with `same` padding, as one matrix product."""
    weights, bias = layer
    height, width = (-(-side // stride) for side in x.shape[1:3])
    # As TensorFlow's `same` pads even sides: stride 2 behind only.
    x = jnp.pad(x, [(0, 0), (2 - stride, 1), (2 - stride, 1), (0, 0)])
    patches = [
        x[:, i : i + (height - 1) * stride + 1 : stride,
          j : j + (width - 1) * stride + 1 : stride]
        for i in range(3) for j in range(3)
    ]  # fmt: skip
    kernel = weights.reshape(-1, weights.shape[-1])
    return jnp.concatenate(patches, axis=-1) @ kernel + bias


def conv_transpose(layer: Any, x: jax.Array) -> jax.Array:
    """Returns a transposed convolution of stride 2 with `same` padding.

    Outputs of even and odd rows and columns are four products of their own, so
    that nothing is multiplied with the zeros between inputs.
    """
    w, bias = layer
    batch, height, width, _ = x.shape
    padded = jnp.pad(x, [(0, 0), (1, 0), (1, 0), (0, 0)])
    left, above = padded[:, 1:, :-1], padded[:, :-1, 1:]
    corner = padded[:, :-1, :-1]

    def product(parts: list[jax.Array], kernels: list[jax.Array]) -> jax.Array:
        return jnp.concatenate(parts, axis=-1) @ jnp.concatenate(kernels)

    even_even = product(
        [corner, above, left, x], [w[0, 0], w[0, 2], w[2, 0], w[2, 2]]
    )
    even_odd = product([above, x], [w[0, 1], w[2, 1]])
    odd_even = product([left, x], [w[1, 0], w[1, 2]])
    even = jnp.stack([even_even, even_odd], axis=3)
    odd = jnp.stack([odd_even, x @ w[1, 1]], axis=3)
    rows = jnp.stack([even, odd], axis=2)  # [batch, height, 2, width, 2, out]
    return rows.reshape(batch, 2 * height, 2 * width, -1) + bias


def mlp_loss(p: Any, x: jax.Array, key: jax.Array) -> jax.Array:
    """Returns the mean -elbo of x [batch, 784]."""
    hidden = jax.nn.relu(dense(p["hidden_1"], x))
    hidden = jax.nn.relu(dense(p["hidden_2"], hidden))
    z, kl = draw(dense(p["code"], hidden), key)
    hidden = jax.nn.relu(dense(p["back_1"], z))
    hidden = jax.nn.relu(dense(p["back_2"], hidden))
    return negative_elbo(dense(p["logits"], hidden), x, kl)


def conv_loss(p: Any, x: jax.Array, key: jax.Array) -> jax.Array:
    """Returns the mean -elbo of x [batch, 784]."""
    features = jax.nn.relu(conv(p["down_1"], x.reshape(-1, 28, 28, 1), 2))
    features = jax.nn.relu(conv(p["down_2"], features, 2))
    hidden = jax.nn.relu(dense(p["hidden"], features.reshape(-1, 3136)))
    z, kl = draw(dense(p["code"], hidden), key)
    features = jax.nn.relu(dense(p["back"], z)).reshape(-1, 7, 7, 64)
    features = jax.nn.relu(conv_transpose(p["up_1"], features))
    features = jax.nn.relu(conv_transpose(p["up_2"], features))
    logits = conv(p["logits"], features, 1)  # stride 1: the same, mirrored
    return negative_elbo(logits.reshape(-1, 784), x, kl)


def draw(code: jax.Array, key: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns z ~ q(z|x) and the KL to N(0, I): [batch]."""
    loc, log_scale = jnp.split(code, 2, axis=-1)
    scale = jnp.exp(log_scale)
    z = loc + scale * jax.random.normal(key, loc.shape)
    kl = 0.5 * (loc**2 + scale**2 - 1) - log_scale
    return z, kl.sum(axis=-1)


def negative_elbo(logits: jax.Array, x: jax.Array, kl: jax.Array) -> jax.Array:
    """Returns the mean over examples."""
    log_likelihood = x * logits - jax.nn.softplus(logits)
    return (kl - log_likelihood.sum(axis=-1)).mean()


def adam(gradient: Any, state: Any) -> Any:
    """Returns (parameters, first moments, second moments, step) after it."""
    parameters, first, second, step = state
    step = step + 1
    rate = task_lib.LEARNING_RATE * (
        jnp.sqrt(1 - BETA2**step) / (1 - BETA1**step)
    )
    map_leaves = jax.tree.map
    first = map_leaves(
        lambda m, g: BETA1 * m + (1 - BETA1) * g, first, gradient
    )
    second = map_leaves(
        lambda v, g: BETA2 * v + (1 - BETA2) * g * g, second, gradient
    )
    parameters = map_leaves(
        lambda p, m, v: p - rate * m / (jnp.sqrt(v) + EPSILON),
        parameters, first, second,
    )  # fmt: skip
    return parameters, first, second, step


NETWORKS: dict[str, tuple[Shapes, LossFn]] = {
    "mlp": (MLP, mlp_loss),
    "conv": (CONV, conv_loss),
}


@functools.partial(jax.jit, static_argnums=0, donate_argnums=1)
def train_epoch(
    network: str, state: Any, images: jax.Array, key: jax.Array
) -> tuple[Any, jax.Array]:
    """Returns the state after an epoch, and the mean loss."""
    _, loss_fn = NETWORKS[network]
    steps = len(images) // task_lib.BATCH_SIZE
    shuffle_key, draw_key = jax.random.split(key)
    order = jax.random.permutation(shuffle_key, len(images))
    batches = order[: steps * task_lib.BATCH_SIZE].reshape(steps, -1)

    def step(state: Any, inputs: Any) -> tuple[Any, jax.Array]:
        ids, key = inputs
        x = images[ids].astype(jnp.float32) / 255
        loss, gradient = jax.value_and_grad(loss_fn)(state[0], x, key)
        return adam(gradient, state), loss

    state, losses = lax.scan(
        step, state, (batches, jax.random.split(draw_key, steps))
    )
    return state, losses.mean()


@functools.partial(jax.jit, static_argnums=0)
def test_elbo(
    network: str, parameters: Any, images: jax.Array, key: jax.Array
) -> jax.Array:
    """Returns the mean elbo of all images."""
    _, loss_fn = NETWORKS[network]
    chunks = images.reshape(-1, task_lib.EVAL_BATCH_SIZE, images.shape[-1])
    keys = jax.random.split(key, len(chunks))

    def elbo(inputs: Any) -> jax.Array:
        chunk, key = inputs
        return -loss_fn(parameters, chunk.astype(jnp.float32) / 255, key)

    return lax.map(elbo, (chunks, keys)).mean()


def main(task: Task) -> None:
    """Trains and tells."""
    train, test = (
        jax.device_put(x.reshape(len(x), -1)) for x in (task.train, task.test)
    )
    shapes, _ = NETWORKS[task.network]
    key = jax.random.key(0)
    parameters = init(shapes, key)
    first, second = (jax.tree.map(jnp.zeros_like, parameters) for _ in "12")
    state = (parameters, first, second, jnp.zeros([]))
    for epoch in range(1, task.epochs + 1):
        epoch_key, test_key = jax.random.split(jax.random.fold_in(key, epoch))
        started = time.perf_counter()
        state, loss = train_epoch(task.network, state, train, epoch_key)
        loss = float(loss)
        seconds = time.perf_counter() - started
        elbo = test_elbo(task.network, state[0], test, test_key)
        images = len(train) // task_lib.BATCH_SIZE * task_lib.BATCH_SIZE
        task_lib.tell(
            epoch, loss=loss, elbo=elbo, images=images, seconds=seconds
        )


if __name__ == "__main__":
    main(task_lib.read_task())
