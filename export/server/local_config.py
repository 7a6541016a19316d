"""models.config of an export, kept with the folders of this machine."""

import contextlib
import os
import tempfile
import threading
from collections.abc import Iterator

from export import models_config
from tfvae import atomic
from tfvae.errors import InputError

LOOK_SECONDS = 0.5


@contextlib.contextmanager
def local_config(export_dir: str) -> Iterator[str]:
    """Lends the path of a copy of models.config for this machine.

    What is written to models.config comes to be in the copy soon after, by
    rename; what is no configuration does not.

    Args:
      export_dir: the export folder.

    Raises:
      InputError: there is no models.config, or it is broken.
    """
    source = os.path.join(export_dir, models_config.MODELS)
    with tempfile.TemporaryDirectory(prefix="tfvae-serve-") as folder:
        path, end = (
            os.path.join(folder, models_config.MODELS),
            threading.Event(),
        )
        try:
            text = _copy(source, path, last="")
        except OSError as error:
            raise InputError(
                f"`export_dir` {export_dir} holds no export: {source} cannot "
                "be read; export a run with `python -m export.saved_model "
                "--run_dir=R --export_dir=E`."
            ) from error
        except ValueError as error:
            raise InputError(
                f"{source} is no ModelServerConfig: {error}; mend or remove it."
            ) from error
        thread = threading.Thread(
            target=_follow, args=(source, path, text, end)
        )
        thread.start()
        try:
            yield path
        finally:
            end.set()
            thread.join()


def _follow(source: str, path: str, last: str, end: threading.Event) -> None:
    while not end.wait(LOOK_SECONDS):
        # The server keeps what it has, as it does for a file of its own.
        with contextlib.suppress(OSError, ValueError):
            last = _copy(source, path, last=last)


def _copy(source: str, path: str, *, last: str) -> str:
    """Writes the copy if the text is not as `last`; returns the text."""
    with open(source, encoding="utf-8") as file:
        text = file.read()
    if text != last:
        export_dir = os.path.dirname(source)
        local = models_config.localise(text, export_dir=export_dir).encode()
        atomic.write_whole(path, lambda file: file.write(local))
    return text
