"""What a generation starts from: examples, image files, classes, masks."""

import dataclasses
import functools
import os

import numpy as np
import tensorflow as tf

from tfvae.data import images, masks
from tfvae.data.files import IMAGE_ENDINGS
from tfvae.data.load import load_data
from tfvae.data.spec import DataSpec
from tfvae.data.split import Split
from tfvae.errors import InputError
from tfvae.examples import Examples, load_examples
from tfvae.generation.request import MODES, Generation
from tfvae.run_dir import Run

MASK_STREAM = 1  # of random numbers
WHITE = 255
MOST_DIGITS = 20  # of a class; a longer one there is not, either
MOST_OF_A_CLASS = 2000  # examples whose codes are averaged


@dataclasses.dataclass(frozen=True)
class Inputs:
    """Finds what a mode starts from; reads the data once, if at all.

    Args:
      run: trained.
      asked: what to start from.

    Raises:
      InputError: a label or a mask for a run that takes none, a class that
        there is not, or a mode that has no use for the run's masks.
    """

    run: Run
    asked: Generation

    def __post_init__(self) -> None:
        trained, mode = self.condition, self.asked.mode
        for name in ("label", "mask"):
            if getattr(self.asked, name) and trained != name:
                raise InputError(
                    f"`{name}` needs a run that was trained with "
                    f"--condition={name}; this one has --condition={trained}."
                )
        for y in self.asked.label:
            self._check_class("label", y)
        if trained == "mask" and "mask" not in MODES[mode]:
            raise InputError(
                f"`{mode}` shows no image to complete, for which the run was "
                "trained (--condition=mask); use inpaint, reconstruct or "
                "traverse."
            )

    @property
    def condition(self) -> str:
        """What the run was trained with: "none", "label" or "mask"."""
        return self.run.config.condition

    @functools.cached_property
    def split(self) -> Split:
        """The part of the data that is asked for."""
        return getattr(load_data(self.run.config), self.asked.split)

    def random(self, num: int) -> Examples:
        """Returns `num` random examples of the split, or all, in its order."""
        return load_examples(
            self.run.config, self.split, num_examples=num, seed=self.asked.seed
        )

    def starts(self, num: int) -> Examples:
        """Returns what to start from, with the condition that is asked for.

        Args:
          num: examples to draw at random where none are named.

        Raises:
          InputError: no such example or file; no class for it.
        """
        if self.asked.images:
            return self._read(self.asked.images.split(","))
        if not self.asked.indices:
            return self._conditioned(self.random(num))
        ids = np.array(self.asked.indices)
        return self._conditioned(
            load_examples(self.run.config, self.split, ids=ids)
        )

    def having(self, name: str) -> Examples:
        """Returns examples of a class, or the images of a folder.

        Args:
          name: of the setting that says which: "plus" or "minus".

        Raises:
          InputError: the setting names neither; or there are none.
        """
        which = getattr(self.asked, name)
        if which.isdecimal():
            return self._of_class(name, int(which[:MOST_DIGITS]))
        if not os.path.isdir(which):
            raise InputError(
                f"`{name}` must be a class of the run's data or a folder of "
                f"images; got {which!r}."
            )
        try:
            held = sorted(os.listdir(which))
        except OSError as error:
            raise InputError(
                f"`{name}` {which} cannot be read: {error.strerror}."
            ) from error
        paths = [
            os.path.join(which, file)
            for file in held
            if file.lower().endswith(IMAGE_ENDINGS)
        ]
        if not paths:
            raise InputError(f"`{name}` {which} holds no PNG or JPEG file.")
        return self._read(paths)

    def _of_class(self, name: str, y: int) -> Examples:
        self._check_class(name, y)
        labels = self.split.labels()
        assert labels is not None
        (ids,) = np.nonzero(labels == y)
        if not len(ids):
            raise InputError(
                f"`{name}`: the {self.asked.split} split holds no example of "
                f"class {y}; give another --split."
            )
        return load_examples(
            self.run.config, self.split, ids=ids[:MOST_OF_A_CLASS]
        )

    def _check_class(self, name: str, y: int) -> None:
        num_classes = self.run.spec.num_classes
        if num_classes is None:
            raise InputError(
                f"`{name}` {y} is a class, and the run's data have no labels; "
                "give a folder of images."
            )
        if y >= num_classes:
            raise InputError(
                f"`{name}` must be from 0 to {num_classes - 1}, a class of the "
                f"run's data; got {y}."
            )

    def _read(self, paths: list[str]) -> Examples:
        x = read_images(paths, self.run.spec)
        return self._conditioned(Examples(x, None, {}))

    def _conditioned(self, found: Examples) -> Examples:
        """Returns examples with the classes or the mask that is asked for."""
        condition = found.condition
        if self.condition == "label" and (self.asked.label or not condition):
            condition = {"label": self._labels(len(found))}
        if self.condition == "mask":
            mask = self._masks(len(found))
            seen = np.where(mask > 0.5, found.x, 0).astype(np.float32)
            condition = {"image": seen, "mask": mask}
        return dataclasses.replace(found, condition=condition)

    def _labels(self, num: int) -> np.ndarray:
        label = self.asked.label
        if len(label) not in (1, num):
            raise InputError(
                f"`label` must be one class, or one for each of {num} images; "
                f"got {len(label) or 'none'}; give --label=N."
            )
        return np.resize(np.array(label, np.int64), num)

    def _masks(self, num: int) -> np.ndarray:
        """Returns [num, height, width, 1], 1 = seen."""
        name = self.asked.mask or self.run.config.mask
        height, width, _ = self.run.spec.event_shape
        if name in masks.MASKS:
            seed = tf.constant([self.asked.seed, MASK_STREAM], tf.int64)
            return masks.draw_masks(name, num, height, width, seed).numpy()
        if not os.path.isfile(name):
            raise InputError(
                f"`mask` must be one of {', '.join(masks.MASKS)} or an image "
                f"file; got {name!r}."
            )
        stored = _stored_shape(name)
        if stored[:2] != (height, width):
            raise InputError(
                f"`mask` {name} must be {height}x{width} (height x width), as "
                f"the run's images; got {stored[0]}x{stored[1]}."
            )
        grey = images.decode_file(tf.constant(name), channels=1).numpy()
        seen = (grey > WHITE / 2).astype(np.float32)
        return np.repeat(seen[np.newaxis], num, axis=0)


def read_images(paths: list[str], spec: DataSpec) -> np.ndarray:
    """Reads image files as a model of some data sees them.

    Prints which of them had to be changed.

    Args:
      paths: of the files.
      spec: of the data. Pixels of binary data become 0 and 1.

    Returns:
      x: [n, height, width, channels] float32, in [0, 1].

    Raises:
      InputError: data that are no images, or of which files hold none; an
        unreadable file.
    """
    if not spec.is_image or spec.event_shape[-1] not in (1, 3):
        raise InputError(
            "image files hold 1 or 3 channels and do not fit the run's data, "
            f"of shape {list(spec.event_shape)}; give --indices."
        )
    x, changed = [], []
    for path in paths:
        stored = _stored_shape(path)
        x.append(_read_image(path, stored, spec.event_shape))
        if stored != spec.event_shape:
            shown = os.fsencode(path).decode(errors="replace")
            changed.append(f"{shown} ({'x'.join(map(str, stored))})")
    if changed:
        shape = "x".join(map(str, spec.event_shape))
        print(f"brought to {shape}: {', '.join(changed)}")
    pixels = np.stack(x)
    if spec.support == "binary":
        return (pixels >= 0.5).astype(np.float32)
    return pixels


def _stored_shape(path: str) -> tuple[int, int, int]:
    """Returns (height, width, channels) of an image file."""
    if not path.lower().endswith(IMAGE_ENDINGS):
        raise InputError(
            f"image files must end in {', '.join(IMAGE_ENDINGS)}; got {path!r}."
        )
    return images.probe_file(path)


def _read_image(
    path: str, stored: tuple[int, ...], event_shape: tuple[int, ...]
) -> np.ndarray:
    """Returns [height, width, channels] float32, of `event_shape`."""
    height, width, channels = event_shape
    pixels = images.decode_file(tf.constant(os.fsencode(path)), channels=0)
    pixels = pixels[..., : 3 if stored[-1] > 2 else 1]  # no alpha
    pixels = images.transform(pixels, image_size=0, grayscale=channels == 1)
    if pixels.shape[-1] < channels:
        pixels = tf.image.grayscale_to_rgb(pixels)
    if stored[:2] != (height, width):
        # Rounded, as `images.transform` rounds what a model is trained on.
        resized = tf.image.resize(pixels, [height, width], antialias=True)
        pixels = tf.clip_by_value(tf.round(resized), 0, WHITE)
    return tf.cast(pixels, tf.float32).numpy() / WHITE
