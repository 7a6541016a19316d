"""Arrays of any source, checked and brought to one shape and range."""

import numpy as np

from tfvae.data import images
from tfvae.data.factors import FactorSpace, Resized
from tfvae.data.preparation import Preparation
from tfvae.data.sources import PARTS, Source
from tfvae.data.spec import DataSpec
from tfvae.data.split import ArraySplit, Splits
from tfvae.errors import InputError

MOST_CLASSES = 2**16
LARGEST_LEVEL = {"uint8": 255.0, "uint16": 65535.0}


def to_splits(source: Source, preparation: Preparation) -> Splits:
    """Returns the source's examples, held in memory.

    Raises:
      InputError: data that no model can take; names what is wrong.
    """
    name = preparation.name
    arrays = {
        part: _numbers(_with_channels(source.arrays[part][0], name), name)
        for part in PARTS
    }
    shapes = {str(list(x.shape[1:])) for x in arrays.values()}
    _require_equal("shape", shapes, name)
    _require_equal("type", {x.dtype.name for x in arrays.values()}, name)
    divisor = source.maximum or range_of(arrays)
    arrays = {p: _transform(x, preparation) for p, x in arrays.items()}
    found = support_of(arrays, divisor)
    support = preparation.support(found)
    levels = levels_of(arrays["train"].dtype, divisor, found)
    if found == "binary" and divisor != 1:
        arrays = {p: (x == divisor).astype(np.uint8) for p, x in arrays.items()}
        divisor = 1.0
    if preparation.binarize == "static":
        arrays = {
            part: _draw(x / divisor, [preparation.seed, PARTS.index(part)])
            for part, x in arrays.items()
        }
        divisor = 1.0
    seen_levels = preparation.levels(levels)
    if preparation.dequantize and levels is not None:
        divisor = float(levels)
    labels = {part: source.arrays[part][1] for part in PARTS}
    shape = arrays["train"].shape[1:]
    return Splits(
        **{
            part: ArraySplit(x, labels[part], divisor, preparation.dequantize)
            for part, x in arrays.items()
        },
        spec=DataSpec(shape, _num_classes(labels, name), support, seen_levels),
        factors=_factors(source, preparation),
        log_prob=source.log_prob,
    )


def range_of(arrays: dict[str, np.ndarray]) -> float:
    """Returns the divisor that takes the arrays to [0, 1] (floats: 1).

    Whole numbers that are nowhere above 1 are taken for 0 and 1.
    """
    largest = max(x.max() for x in arrays.values())
    dtype = arrays["train"].dtype.name
    return 1.0 if largest <= 1 else LARGEST_LEVEL.get(dtype, 1.0)


def support_of(arrays: dict[str, np.ndarray], divisor: float) -> str:
    """Returns "binary", "unit" or "real".

    Vectors of floats count as real-valued even if they lie in [0, 1].
    """
    train = arrays["train"]
    if train.dtype.kind == "f" and train.ndim == 2:
        return "real"
    ends = all(((x == 0) | (x == divisor)).all() for x in arrays.values())
    return "binary" if ends else "unit"


def levels_of(dtype: np.dtype, divisor: float, support: str) -> int | None:
    """Returns on how many levels the values lie; None: on none (floats)."""
    if support == "binary":
        return 2
    return int(divisor) + 1 if dtype.kind == "u" else None


def _with_channels(x: np.ndarray, name: str) -> np.ndarray:
    """Returns x as [examples, features] or [examples, height, width, ...]."""
    if x.ndim not in (2, 3, 4) or 0 in x.shape[1:]:
        raise InputError(
            f"`dataset` {name}: x must be [examples, features], [examples, "
            "height, width] or [examples, height, width, channels]; got the "
            f"shape {list(x.shape)}."
        )
    if len(x) == 0:
        raise InputError(
            f"`dataset` {name} has too few examples to divide; give at least 3."
        )
    return x[..., np.newaxis] if x.ndim == 3 else x


def _require_equal(what: str, found: set[str], name: str) -> None:
    if len(found) > 1:
        raise InputError(
            f"`dataset` {name}: train and test differ in {what}: "
            f"{' and '.join(sorted(found))}."
        )


def _numbers(x: np.ndarray, name: str) -> np.ndarray:
    """Returns x as uint8, uint16 or float32, or says why it can't be."""
    if x.dtype.kind == "f":
        return _finite_floats(x, name)
    if x.dtype in (np.uint8, np.uint16):
        return x
    if x.dtype.kind in "biu" and 0 <= x.min() <= x.max() <= 255:
        return x.astype(np.uint8)
    raise InputError(
        f"`dataset` {name}: x must be floats, or whole numbers from 0 to 255; "
        f"got {x.dtype}."
    )


def _finite_floats(x: np.ndarray, name: str) -> np.ndarray:
    with np.errstate(over="ignore"):  # too large for float32: infinity
        x = x.astype(np.float32)
    bad = ~np.isfinite(x).reshape(len(x), -1).all(axis=1)
    if bad.any():
        raise InputError(
            f"`dataset` {name} holds NaN or infinity (in {bad.sum()} of "
            f"{len(x)} examples); remove or replace them."
        )
    if x.ndim == 4 and not 0 <= x.min() <= x.max() <= 1:
        raise InputError(
            f"`dataset` {name} holds images from {x.min():g} to {x.max():g}; "
            "give uint8, or floats in [0, 1]."
        )
    return x


def _transform(x: np.ndarray, preparation: Preparation) -> np.ndarray:
    size, grayscale = preparation.image_size, preparation.grayscale
    if x.ndim == 4:
        return images.transform_array(x, image_size=size, grayscale=grayscale)
    if size or grayscale:
        raise InputError(
            f"`dataset` {preparation.name} holds vectors; --image_size and "
            "--grayscale are for images."
        )
    return x


def _factors(source: Source, preparation: Preparation) -> FactorSpace | None:
    """Returns the factor space of the prepared images.

    Once pixels are drawn, no image is a function of its factors.
    """
    if source.factors is None or preparation.binarize == "static":
        return None
    if preparation.image_size:
        return Resized(source.factors, preparation.image_size)
    return source.factors


def _draw(probs: np.ndarray, seed: list[int]) -> np.ndarray:
    """Returns one draw of x ~ Bernoulli(probs): uint8, 0 and 1."""
    uniform = np.random.default_rng(seed).random(probs.shape, np.float32)
    return (uniform < probs).astype(np.uint8)


def _num_classes(labels: dict[str, np.ndarray | None], name: str) -> int | None:
    known = [y for y in labels.values() if y is not None]
    for y in known:
        is_whole = y.dtype.kind in "iu"
        if not is_whole or not 0 <= y.min() <= y.max() < MOST_CLASSES:
            got = f"{y.min()} to {y.max()}" if is_whole else y.dtype
            raise InputError(
                f"`dataset` {name}: labels must be whole numbers from 0 to "
                f"{MOST_CLASSES - 1}; got {got}."
            )
    return max((int(y.max()) + 1 for y in known), default=None)
