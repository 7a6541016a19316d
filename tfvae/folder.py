"""A folder whose files are written whole."""

import json
import os
from collections.abc import Callable
from typing import IO, Any

from tfvae import atomic


class Folder:
    """Paths and files of one folder.

    Args:
      path: of the folder.
    """

    def __init__(self, path: str) -> None:
        self.path = path

    def __str__(self) -> str:
        return self.path

    def file(self, *names: str) -> str:
        """Returns the path of something in the folder."""
        return os.path.join(self.path, *names)

    def remove_if_empty(self) -> None:
        """Removes the folder if nothing came to be in it."""
        if not os.listdir(self.path):
            os.rmdir(self.path)

    def write(self, name: str, write: Callable[[IO[bytes]], Any]) -> None:
        """Writes one file whole: beside it first, then by rename.

        Args:
          name: path inside the folder.
          write: is given the open file.
        """
        atomic.write_whole(self.file(name), write)

    def write_json(self, name: str, content: Any) -> None:
        """Writes a JSON file."""
        text = json.dumps(content, indent=2) + "\n"
        self.write(name, lambda file: file.write(text.encode()))
