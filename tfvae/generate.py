"""Generates from a trained run: python -m tfvae.generate --help."""

import os
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, Any

from tfvae import atomic, flags, program, storage
from tfvae.errors import InputError
from tfvae.generation.request import Generation

if TYPE_CHECKING:  # TensorFlow takes seconds to load, and --help must not wait
    from tfvae.generation.generated import Generated
    from tfvae.run_dir import Run

SUMMARY = """Generates from a trained run; writes a picture and its arrays.

usage: python -m tfvae.generate MODE --run_dir=R --out=FILE [--name=value ...]

MODE is one of
  sample       x of p(x|z), z ~ p(z)
  reconstruct  examples, below each x of p(x|z) at its code z = g(x)
  interpolate  the way from one code to another
  traverse     one latent at a time takes values around 0
  manifold     the plane of two latents (latent_dim 2)
  inpaint      completions of images in part hidden (--condition=mask)
  arithmetic   codes, plus the mean code of one class, minus that of another

Equal commands give equal files."""


def main(argv: list[str]) -> int:
    """Reads the command line, generates, and returns the exit status."""
    asked = flags.parse_as(Generation, argv, summary=SUMMARY, positional="mode")
    if not asked.run_dir:
        raise program.missing_run_dir()
    check_folder(asked.out)
    with program.quiet_start():
        program.start_tensorflow()
        from tfvae import run_dir
    generate(run_dir.load_run(asked.run_dir, which=asked.weights), asked)
    return program.DONE


def generate(run: "Run", asked: Generation) -> None:
    """Makes what is asked for, and writes it.

    Samples and reconstructions that go into arrays alone are made as they are
    written, so that memory does not grow with their number.

    Args:
      run: trained.
      asked: what to make.

    Raises:
      InputError: what is asked for does not go with the run or its data, or
        the file cannot be written.
    """
    from tfvae.generation import archive, modes

    if asked.ending != ".npz" and not run.spec.is_image:
        raise InputError(
            "the run's data are vectors, of which there is no picture; give "
            "--out=FILE.npz."
        )
    _check_overwriting(run, asked)
    if asked.ending == ".npz" and asked.mode in modes.PARTS:
        parts = modes.in_parts(run, asked)
        _write(asked.out, lambda file: archive.write(file, parts))
    else:
        _write_all(modes.generate(run, asked), asked)


def check_folder(path: str) -> None:
    """Makes sure, before anything is computed, that a file can be written.

    Args:
      path: of the file; its folder need not be there yet.

    Raises:
      InputError: a file is in the way, or the folder is not ours to write.
    """
    if not storage.is_local(path):  # writing it tells
        return
    folder = os.path.dirname(os.path.abspath(path))
    while not os.path.exists(folder):
        folder = os.path.dirname(folder)
    if os.path.isdir(path):
        raise _unwritable(path, "it is a folder")
    if not os.path.isdir(folder):
        raise _unwritable(path, f"{folder} is no folder")
    if not os.access(folder, os.W_OK):
        raise _unwritable(path, f"{folder} is read-only")


def _write_all(generated: "Generated", asked: Generation) -> None:
    """Writes the arrays, and the picture if one is asked for."""
    import numpy as np

    arrays: dict[str, Any] = generated.arrays()
    files: dict[str, Callable[[IO[bytes]], Any]] = {
        asked.arrays_out: lambda file: np.savez(file, **arrays)
    }
    if asked.ending != ".npz":
        from tfvae.generation import drawing

        draw = {".png": drawing.png, ".gif": drawing.gif}[asked.ending]
        picture = draw(generated)
        files[asked.out] = lambda file: file.write(picture)
    for path, write in files.items():
        _write(path, write)


def _write(path: str, write: Callable[[IO[bytes]], Any]) -> None:
    try:
        atomic.write_whole(path, write)
    except OSError as error:
        raise _unwritable(path, error.strerror or str(error)) from error
    print(f"written: {path}")


def _check_overwriting(run: "Run", asked: Generation) -> None:
    """Makes sure that nothing is written over what is read."""
    read = [
        run.config.dataset.removeprefix("npz:"),
        asked.mask,
        *asked.images.split(","),
    ]
    there = {os.path.realpath(path) for path in read if path}
    for path in (asked.out, asked.arrays_out):
        if os.path.realpath(path) in there:
            raise InputError(
                f"`out` {asked.out} would write over {path}, which is read; "
                "give another name."
            )


def _unwritable(path: str, reason: str) -> InputError:
    return InputError(
        f"`out` {path} cannot be written: {reason}; give another."
    )


if __name__ == "__main__":
    program.run_main(main)
