"""models.config of an export, kept with the folders of this machine."""

import os
import tempfile
import threading
from types import TracebackType

from export import models_config
from tfvae import atomic
from tfvae.errors import InputError

LOOK_SECONDS = 0.5


class LocalConfig:
    """A copy of models.config for this machine, while its block runs.

    What is written to models.config comes to be in the copy soon after, by
    rename; what is no configuration does not.

    Args:
      export_dir: the export folder.

    Attributes:
      path: of the copy.

    Raises:
      InputError: there is no models.config, or it is broken.
    """

    def __init__(self, export_dir: str) -> None:
        self._export_dir = export_dir
        self._source = os.path.join(export_dir, models_config.MODELS)
        self._folder = tempfile.TemporaryDirectory(prefix="tfvae-serve-")
        self.path = os.path.join(self._folder.name, models_config.MODELS)
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._text = ""

    def __enter__(self) -> "LocalConfig":
        try:
            self._copy()
        except OSError as error:
            raise InputError(
                f"`export_dir` {self._export_dir} holds no export: "
                f"{self._source} cannot be read; export a run with `python "
                "-m export.saved_model --run_dir=R --export_dir=E`."
            ) from error
        except ValueError as error:
            raise InputError(
                f"{self._source} is no ModelServerConfig: {error}."
            ) from error
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end.set()
        self._thread.join()
        self._folder.cleanup()

    def _follow(self) -> None:
        while not self._end.wait(LOOK_SECONDS):
            try:
                self._copy()
            except (OSError, ValueError):
                continue  # the server keeps what it has, as for its own file

    def _copy(self) -> None:
        with open(self._source, encoding="utf-8") as file:
            text = file.read()
        if text == self._text:
            return
        local = models_config.localise(text, export_dir=self._export_dir)
        atomic.write_whole(self.path, lambda file: file.write(local.encode()))
        self._text = text
