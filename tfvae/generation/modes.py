"""The modes of tfvae.generate: from what is asked for to what is shown."""

import dataclasses
import math
from collections.abc import Callable

import numpy as np

from tfvae import latents
from tfvae.data.spec import DataSpec
from tfvae.errors import InputError
from tfvae.examples import Examples
from tfvae.generation import makers, parts
from tfvae.generation.archive import Parts
from tfvae.generation.generated import Generated, code, require_masks
from tfvae.generation.inputs import Inputs
from tfvae.generation.request import Generation, value_or
from tfvae.learner import Given, Learner
from tfvae.metrics import decoding
from tfvae.run_dir import Run

NUM_DRAWS, NUM_PAIRS, NUM_ROWS = 64, 32, 8
NUM_STEPS, NUM_FRAMES, NUM_SIDE = 9, 30, 20
MOST_LATENTS = 16  # rows of a traversal
NUM_FOR_ORDER = 1000  # examples that say which latents are in use
MOST_NUMBERS = 2**28  # of x, held as float32: 1 GiB


def generate(run: Run, asked: Generation) -> Generated:
    """Makes what is asked for.

    Args:
      run: trained.
      asked: what to make.

    Raises:
      InputError: what is asked for does not go with the run or its data.
    """
    return MAKERS[asked.mode](_inputs(run, asked))


def in_parts(run: Run, asked: Generation) -> Parts:
    """Returns the arrays of `generate`, part by part; for modes in `PARTS`.

    Args:
      run: trained.
      asked: what to make.

    Raises:
      InputError: what is asked for does not go with the run or its data.
    """
    return PARTS[asked.mode](_inputs(run, asked))


def _inputs(run: Run, asked: Generation) -> Inputs:
    if asked.data_dir:
        config = dataclasses.replace(run.config, data_dir=asked.data_dir)
        run = dataclasses.replace(run, config=config)
    return Inputs(run, asked)


def _sample(inputs: Inputs) -> Generated:
    run, asked = inputs.run, inputs.asked
    num = value_or(asked.num, NUM_DRAWS)
    _check_size(num, run.spec)
    classes = _classes(inputs)[:num]
    condition = _in_turn(classes, num)
    return makers.sample(
        run.model, num, seed=asked.seed, temperature=asked.temperature,
        condition=condition, shown=asked.shown, columns=_columns(num),
        row_labels=[f"class {y}" for y in classes] if len(classes) > 1 else (),
    )  # fmt: skip


def _sample_parts(inputs: Inputs) -> Parts:
    asked = inputs.asked
    num = value_or(asked.num, NUM_DRAWS)
    condition = _in_turn(_classes(inputs)[:num], num)
    return parts.sample(
        inputs.run.model, num, seed=asked.seed, temperature=asked.temperature,
        condition=condition, shown=asked.shown,
    )  # fmt: skip


def _reconstruct(inputs: Inputs) -> Generated:
    asked = inputs.asked
    found = inputs.starts(value_or(asked.num, NUM_PAIRS))
    return makers.reconstruct(
        inputs.run.model, found.x, condition=found.condition,
        shown=asked.shown, seed=asked.seed, columns=_columns(len(found)),
    )  # fmt: skip


def _reconstruct_parts(inputs: Inputs) -> Parts:
    asked = inputs.asked
    found = inputs.starts(value_or(asked.num, NUM_PAIRS))
    return parts.reconstruct(
        inputs.run.model, found.x, condition=found.condition,
        shown=asked.shown, seed=asked.seed,
    )  # fmt: skip


def _interpolate(inputs: Inputs) -> Generated:
    asked = inputs.asked
    from_, to = _pairs(inputs)
    if inputs.condition == "label":
        _check_same_class(from_.condition["label"], to.condition["label"])
    return makers.interpolate(
        inputs.run.model, from_.x, to.x, num_steps=_steps(asked),
        path=asked.path, condition=from_.condition, shown=asked.shown,
        seed=asked.seed,
    )  # fmt: skip


def _traverse(inputs: Inputs) -> Generated:
    asked, model = inputs.asked, inputs.run.model
    start = inputs.starts(1)
    if len(start) != 1:
        raise InputError(
            f"traverse starts from one example; got {len(start)}; give one."
        )
    dims, row_labels = _dims(inputs)
    return makers.traverse(
        model, code(model, start.x, start.condition)[0], dims,
        values=np.linspace(-asked.span, asked.span, _steps(asked)).tolist(),
        condition=start.condition, shown=asked.shown, seed=asked.seed,
        row_labels=row_labels,
    )  # fmt: skip


def _manifold(inputs: Inputs) -> Generated:
    asked = inputs.asked
    if len(asked.label) > 1:
        raise InputError(
            f"manifold shows one class; got {len(asked.label)}; give one."
        )
    classes = _classes(inputs)[:1]
    return makers.manifold(
        inputs.run.model, side=value_or(asked.steps, NUM_SIDE),
        condition={"label": np.array(classes, np.int64)} if classes else None,
        shown=asked.shown, seed=asked.seed,
    )  # fmt: skip


def _inpaint(inputs: Inputs) -> Generated:
    run, asked = inputs.run, inputs.asked
    num = value_or(asked.num, NUM_ROWS)
    require_masks(run.model)
    found = inputs.starts(NUM_ROWS)
    _check_size(num * len(found), run.spec)
    return makers.inpaint(
        run.model, found.x, found.condition["mask"], num=num, seed=asked.seed,
        shown=asked.shown,
    )  # fmt: skip


def _arithmetic(inputs: Inputs) -> Generated:
    asked, model = inputs.asked, inputs.run.model
    plus, minus = (
        code(model, found.x, found.condition)
        for found in (inputs.having("plus"), inputs.having("minus"))
    )
    found = inputs.starts(value_or(asked.num, NUM_ROWS))
    return makers.arithmetic(
        model, found.x, latents.direction(plus, minus),
        strengths=asked.strengths, condition=found.condition,
        shown=asked.shown, seed=asked.seed,
    )  # fmt: skip


MAKERS: dict[str, Callable[[Inputs], Generated]] = {
    "sample": _sample,
    "reconstruct": _reconstruct,
    "interpolate": _interpolate,
    "traverse": _traverse,
    "manifold": _manifold,
    "inpaint": _inpaint,
    "arithmetic": _arithmetic,
}
# Modes that may make more than fits into memory.
PARTS: dict[str, Callable[[Inputs], Parts]] = {
    "sample": _sample_parts,
    "reconstruct": _reconstruct_parts,
}


def _columns(num: int) -> int:
    return NUM_ROWS if num <= NUM_DRAWS else math.ceil(math.sqrt(num))


def _steps(asked: Generation) -> int:
    is_animated = asked.ending == ".gif"
    return value_or(asked.steps, NUM_FRAMES if is_animated else NUM_STEPS)


def _classes(inputs: Inputs) -> list[int]:
    """Returns the classes asked for, or all; none without the condition."""
    if inputs.condition != "label":
        return []
    num_classes = inputs.run.spec.num_classes
    assert num_classes is not None
    return list(inputs.asked.label) or list(range(num_classes))


def _in_turn(classes: list[int], num: int) -> Given:
    """Returns the condition of draws that are shared out over classes."""
    if not classes:
        return None
    # As evenly as can be, a row of the picture a class.
    shares = [len(part) for part in np.array_split(range(num), len(classes))]
    return {"label": np.repeat(np.array(classes, np.int64), shares)}


def _pairs(inputs: Inputs) -> tuple[Examples, Examples]:
    """Returns the two ends of each path."""
    asked, num = inputs.asked, value_or(inputs.asked.num, NUM_ROWS)
    if asked.starts:
        found = inputs.starts(2 * num)
        if len(found) % 2:
            raise InputError(
                f"`{asked.starts}` must name the two ends of each path; got "
                f"{len(found)}, an odd number."
            )
        return found.take(slice(0, None, 2)), found.take(slice(1, None, 2))
    if inputs.condition == "label" and not asked.label:
        found = inputs.random(NUM_FOR_ORDER)
        assert found.labels is not None
        first, second = _same_class_pairs(found.labels, num)
        return found.take(first), found.take(second)
    found = inputs.starts(2 * num)
    half = len(found) // 2  # a split sorted by class pairs different ones
    return found.take(slice(0, half)), found.take(slice(half, 2 * half))


def _check_same_class(labels_from: np.ndarray, labels_to: np.ndarray) -> None:
    for pair in zip(labels_from, labels_to, strict=True):
        if pair[0] != pair[1]:
            raise InputError(
                "the two ends of a path must be of one class, and some are of "
                f"{pair[0]} and {pair[1]}; give others, or --label=N for all."
            )


def _same_class_pairs(
    labels: np.ndarray, num: int
) -> tuple[np.ndarray, np.ndarray]:
    """Returns ids of the two examples of each pair, evenly over the classes."""
    order = np.argsort(labels, kind="stable")
    (at,) = np.nonzero(labels[order[:-1]] == labels[order[1:]])
    if not len(at):
        raise InputError(
            "the split holds no two examples of one class; give --label=N."
        )
    chosen = at[np.linspace(0, len(at) - 1, num).round().astype(int)]
    return order[chosen], order[chosen + 1]


def _dims(inputs: Inputs) -> tuple[list[int], list[str]]:
    """Returns the latents to traverse, and what stands beside each."""
    model, dims = inputs.run.model, inputs.asked.dims
    if any(dim >= model.latent_dim for dim in dims):
        raise InputError(
            f"`dims` must be from 0 to {model.latent_dim - 1}, the run's "
            f"latents; got {', '.join(map(str, dims))}."
        )
    if dims:
        return list(dims), [f"z[{dim}]" for dim in dims]
    name, use = _use(model, inputs.random(NUM_FOR_ORDER))
    order = latents.by_kl(use)[:MOST_LATENTS].tolist()
    return order, [f"z[{dim}]  {name} {use[dim]:.2f}" for dim in order]


def _use(model: Learner, found: Examples) -> tuple[str, np.ndarray]:
    """Returns what says how much of x each latent tells, and its name."""
    kl = decoding.kl_per_dim(model, found.x, found.condition)
    if kl is None:
        return "var", code(model, found.x, found.condition).var(axis=0)
    return "KL", kl


def _check_size(num: int, spec: DataSpec) -> None:
    most = MOST_NUMBERS // spec.num_dims
    if num > most:
        raise InputError(
            f"{num:,} x of {spec.num_dims:,} numbers do not fit into memory; "
            f"make at most {most:,} at a time, with another --seed each."
        )
