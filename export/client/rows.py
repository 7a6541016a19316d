"""The inputs of a signature, made of what the command line gives."""

import os
import zipfile
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from export.client.request import Request
from export.client.servable import Servable, Signature
from tfvae.errors import InputError

IMAGE_ENDINGS = (".png", ".jpg", ".jpeg")
ARCHIVE = ".npz"
WHITE = 255
# What a file that is no archive of arrays raises.
UNREADABLE = (OSError, ValueError, EOFError, zipfile.BadZipFile)


class Rows:
    """Finds the inputs of a signature.

    Args:
      servable: what the server has told of it.
      name: of the signature.
      asked: what was asked for.

    Raises:
      InputError: the servable has no such signature, or one that takes what
        no flag gives, or not what one gives.
    """

    def __init__(self, servable: Servable, name: str, asked: Request) -> None:
        self.servable, self.asked = servable, asked
        self.signature: Signature = servable.signature(name)
        inputs = self.signature.inputs
        unknown = sorted(inputs.keys() - MAKERS.keys())
        if unknown:
            raise InputError(
                f"`{name}` of `{servable.name}` takes {', '.join(unknown)}, "
                "which no flag gives; use export.client.Client."
            )
        for flag, needs in FLAGS.items():
            if getattr(asked, flag) and not needs & inputs.keys():
                raise InputError(
                    f"`{flag}` is of no use to `{name}` of `{servable.name}`, "
                    f"which takes {', '.join(sorted(inputs))}."
                )

    def arrays(self) -> dict[str, np.ndarray]:
        """Returns all inputs, with equal numbers of rows.

        Raises:
          InputError: a flag is missing, names a file that cannot be read, or
            gives another number of rows.
        """
        found: dict[str, np.ndarray] = {}
        # In the table's order: first what says how many rows there are.
        for name, make in MAKERS.items():
            if name in self.signature.inputs:
                num_rows = len(next(iter(found.values()))) if found else None
                found[name] = make(self, num_rows)
        if "image" in found:
            seen = found["mask"] > 0.5
            found["image"] = np.where(seen, found["image"], 0)
        return found

    def z(self, num_rows: int | None) -> np.ndarray:
        """Returns the codes: [n, latent_dim]."""
        text = self._given("z", "--z=0.1,0.2,... or --z=FILE.npz")
        if text.endswith(ARCHIVE):
            return _read_archive("z", text, "z")
        shape = self.signature.inputs["z"].shape
        width = shape[-1] if shape else None
        try:
            numbers = np.array([float(part) for part in text.split(",")])
            return numbers.reshape(-1, width or len(numbers))
        except ValueError as error:
            raise InputError(
                "`z` must be numbers with commas between, a multiple of "
                f"{width}, or FILE.npz; got {text!r}."
            ) from error

    def seeds(self, num_rows: int | None) -> np.ndarray:
        """Returns seeds, one after another: [n]."""
        num = self.asked.num if num_rows is None else num_rows
        first = self.asked.seed
        # Of a larger range than seeds have, which then is told.
        return np.arange(first, first + num, dtype=np.uint64)

    def x(self, num_rows: int | None) -> np.ndarray:
        """Returns the examples: [n, ...]."""
        return self._images("x")

    def label(self, num_rows: int | None) -> np.ndarray:
        """Returns classes: [n]; for `sample` all in turn if none is given."""
        assert num_rows is not None  # a signature takes more than a label
        label, card = self.asked.label, self.servable.card
        if not label and self.asked.mode == "sample" and card is not None:
            return np.sort(np.arange(num_rows) % card["num_classes"])
        if len(label) not in (1, num_rows):
            raise InputError(
                f"`label` must be one class, or one for each of {num_rows} "
                f"rows; got {len(label) or 'none'}; give --label=N."
            )
        return np.resize(np.array(label, np.int64), num_rows)

    def image(self, num_rows: int | None) -> np.ndarray:
        """Returns the images to complete: [n, height, width, channels]."""
        return self._repeated("images", self._images("image"), num_rows)

    def mask(self, num_rows: int | None) -> np.ndarray:
        """Returns what is seen of them: [n, height, width, 1]."""
        path = self._given("mask", "--mask=FILE.png (white: seen)")
        if path.endswith(ARCHIVE):
            mask = _read_archive("mask", path, "mask")
        else:
            pixels = _read_images([path], self._event_shape("mask"))
            mask = (pixels > 0.5).astype(np.float32)
        return self._repeated("mask", mask, num_rows)

    def _given(self, name: str, example: str) -> str:
        value = getattr(self.asked, name)
        if not value:
            raise InputError(
                f"`{self.signature.name}` of `{self.servable.name}` needs "
                f"`{name}`; give {example}."
            )
        return value

    def _images(self, name: str) -> np.ndarray:
        text = self._given("images", "--images=FILE.npz or image files")
        shape = self._event_shape(name)
        if text.endswith(ARCHIVE):
            x = _read_archive("images", text, "x")
            if x.dtype == np.uint8:
                x = x / np.float32(WHITE)
            is_without_channels = shape[-1:] == (1,) and x.ndim == len(shape)
            return x[..., np.newaxis] if is_without_channels else x
        return _read_images(_paths(text), shape)

    def _event_shape(self, name: str) -> tuple[int | None, ...]:
        return (self.signature.inputs[name].shape or ())[1:]

    def _repeated(
        self, flag: str, values: np.ndarray, num_rows: int | None
    ) -> np.ndarray:
        if num_rows is None or len(values) == num_rows:
            return values
        if len(values) != 1:
            raise InputError(
                f"`{flag}` must give one, or one for each of {num_rows} rows; "
                f"got {len(values)}."
            )
        return np.repeat(values, num_rows, axis=0)


MAKERS: dict[str, Callable[[Rows, int | None], np.ndarray]] = {
    "z": Rows.z,
    "x": Rows.x,
    "seed": Rows.seeds,
    "label": Rows.label,
    "image": Rows.image,
    "mask": Rows.mask,
}
# By flag: the inputs of which it gives one.
FLAGS: Mapping[str, set[str]] = {
    "label": {"label"},
    "images": {"x", "image"},
    "mask": {"mask"},
}


def _paths(text: str) -> list[str]:
    """Returns the image files that a flag names."""
    if not os.path.isdir(text):
        return text.split(",")
    paths = [
        os.path.join(text, name)
        for name in sorted(os.listdir(text))
        if name.lower().endswith(IMAGE_ENDINGS)
    ]
    if not paths:
        raise InputError(f"`images` {text} holds no PNG or JPEG file.")
    return paths


def _read_images(paths: list[str], event_shape: tuple[Any, ...]) -> np.ndarray:
    if len(event_shape) != 3 or None in event_shape:
        raise InputError(
            "the model takes no images; give --images=FILE.npz that holds `x`."
        )
    # Imported here: only pictures need it.
    from tfvae.plots.reading import read_image

    return np.stack(
        [read_image(path, event_shape=event_shape) for path in paths]
    )


def _read_archive(flag: str, path: str, name: str) -> np.ndarray:
    """Returns an array of an npz file."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            if name in archive.files:
                return archive[name]
            held = ", ".join(sorted(archive.files)) or "nothing"
    except UNREADABLE as error:
        raise InputError(f"`{flag}` {path} cannot be read: {error}.") from error
    raise InputError(f"`{flag}` {path} must hold `{name}`; it holds {held}.")
