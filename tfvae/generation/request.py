"""What is asked of a trained model: the settings of tfvae.generate."""

import dataclasses
import os
from typing import TypeVar

from tfvae import settings
from tfvae.errors import InputError
from tfvae.settings import setting

Number = TypeVar("Number", int, float)

ALWAYS = ("mode", "run_dir", "out", "seed", "shown", "weights")
STARTS = ("indices", "images", "split", "data_dir")
# What each mode has a use for, beside ALWAYS.
MODES: dict[str, tuple[str, ...]] = {
    "sample": ("num", "label", "temperature"),
    "reconstruct": ("num", *STARTS, "label", "mask"),
    "interpolate": ("num", *STARTS, "label", "path", "steps"),
    "traverse": (*STARTS, "label", "mask", "dims", "steps", "span"),
    "manifold": ("label", "steps"),
    "inpaint": ("num", *STARTS, "mask"),
    "arithmetic": ("num", *STARTS, "label", "plus", "minus", "strengths"),
}
# What can be written, and by which modes.
ENDINGS: dict[str, tuple[str, ...]] = {
    ".png": tuple(MODES),
    ".npz": tuple(MODES),
    ".gif": ("interpolate", "traverse"),
}
MOST_SHOWN = 1000  # in one picture


@dataclasses.dataclass(frozen=True)
class Generation:
    """Settings of a generation.

    Raises:
      InputError: a value is of the wrong type or out of bounds, of no use in
        the mode, or contradicts another.
    """

    mode: str = setting("", "what to make", words=tuple(MODES))
    run_dir: str = setting("", "folder of the run")
    out: str = setting(
        "",
        "FILE.png: a picture, and its arrays in FILE.npz; FILE.gif "
        "(interpolate, traverse): the same, animated; FILE.npz: the arrays "
        "alone; the folder is made where there is none",
    )
    num: str | int = setting(
        "auto",
        "sample: draws; inpaint: completions of each image; reconstruct, "
        "interpolate, arithmetic: examples, or pairs of them, drawn at random; "
        "auto: 64 for sample, 32 for reconstruct, else 8",
        words=("auto",), number=int, minimum=1, maximum=10_000_000,
    )  # fmt: skip
    seed: int = setting(
        0, "of all that is drawn", number=int, minimum=0, maximum=2**32 - 1
    )
    shown: str = setting(
        "mean", "the mean of p(x|z), or a draw of it", words=("mean", "draw")
    )
    temperature: float = setting(
        1.0,
        "sample: factor on the noise of which z is made",
        number=float, minimum=0, maximum=100,
    )  # fmt: skip
    label: tuple[int, ...] = setting(
        (),
        "runs with --condition=label: the class of what is made, or one for "
        "each; none: the examples' own, for sample all in turn",
        number=int, minimum=0, is_list=True,
    )  # fmt: skip
    indices: tuple[int, ...] = setting(
        (),
        "examples of the split to start from, counted from 0; interpolate: in "
        "pairs; none: drawn at random",
        number=int, minimum=0, is_list=True,
    )  # fmt: skip
    images: str = setting(
        "",
        "image files to start from instead, with commas between; another size "
        "or another number of channels is brought to the run's",
    )
    split: str = setting(
        "test",
        "which part of the data the examples are from",
        words=("test", "validation", "train"),
    )
    mask: str = setting(
        "",
        "runs with --condition=mask: which pixels are seen, a name as train "
        "takes it or an image file (white: seen); empty: as trained",
    )
    path: str = setting(
        "linear",
        "interpolate: linear in z, or spherical: at norms between the ends'",
        words=("linear", "spherical"),
    )
    steps: str | int = setting(
        "auto",
        "interpolate, traverse: columns, or frames of a GIF; manifold: codes "
        "a side; auto: 9, in a GIF 30, for manifold 20",
        words=("auto",), number=int, minimum=2, maximum=1000,
    )  # fmt: skip
    dims: tuple[int, ...] = setting(
        (),
        "traverse: latents, counted from 0; none: the 16 of the largest KL",
        number=int, minimum=0, is_list=True,
    )  # fmt: skip
    span: float = setting(
        3.0,
        "traverse: each latent takes values from -span to span",
        number=float, above=0, maximum=1e6,
    )  # fmt: skip
    plus: str = setting(
        "",
        "arithmetic: a class, or a folder of images, whose mean code is added",
    )
    minus: str = setting(
        "", "arithmetic: the same, whose mean code is taken away"
    )
    strengths: tuple[float, ...] = setting(
        (0.0, 0.5, 1.0, 1.5, 2.0),
        "arithmetic: factors on the difference of the two",
        number=float, minimum=-1e6, maximum=1e6, is_list=True,
    )  # fmt: skip
    weights: str = setting(
        "best",
        "of the epoch with the best validation, or the last",
        words=("best", "last"),
    )
    data_dir: str = setting(
        "", "where TFDS keeps prepared data; empty: as the run was trained"
    )

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = settings.check(field, getattr(self, field.name))
            object.__setattr__(self, field.name, value)
        self._check_uses()
        self._check_out()
        if self.indices and self.images:
            raise InputError(
                "`indices` and `images` exclude each other; give one."
            )
        if self.num != "auto" and self.mode != "inpaint" and self.starts:
            raise InputError(
                "`num` examples are drawn at random; give it, or "
                f"--{self.starts}, not both."
            )

    @property
    def ending(self) -> str:
        """Of the file to write: ".png", ".npz" or ".gif"."""
        return os.path.splitext(self.out)[1].lower()

    @property
    def arrays_out(self) -> str:
        """The file of the arrays, beside the picture."""
        return os.path.splitext(self.out)[0] + ".npz"

    @property
    def starts(self) -> str:
        """The setting that names what to start from; empty: none does."""
        given = (name for name in ("indices", "images") if getattr(self, name))
        return next(given, "")

    def _check_uses(self) -> None:
        uses = (*ALWAYS, *MODES[self.mode])
        for field in dataclasses.fields(self):
            is_given = getattr(self, field.name) != field.default
            if is_given and field.name not in uses:
                raise InputError(
                    f"`{field.name}` is of no use to {self.mode}, which takes "
                    f"{', '.join(MODES[self.mode])}."
                )

    def _check_out(self) -> None:
        modes = ENDINGS.get(self.ending)
        if modes is None:
            raise InputError(
                "`out` must name the file to write, one that ends in "
                f"{', '.join(ENDINGS)}; got {self.out!r}."
            )
        if self.mode not in modes:
            raise InputError(
                f"`out` {self.out}: {self.mode} has nothing to animate, as "
                f"{' and '.join(modes)} have; give a FILE.png."
            )
        if self.ending != ".npz" and value_or(self.num, 0) > MOST_SHOWN:
            raise InputError(
                f"`num` must be at most {MOST_SHOWN:,} in a picture; got "
                f"{self.num:,}; give --out=FILE.npz for the arrays alone."
            )


def value_or(value: str | Number, automatic: Number) -> Number:
    """Returns what was asked for, or what "auto" stands for."""
    return automatic if isinstance(value, str) else value
