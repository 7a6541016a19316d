"""Are the graph and the weights of a version those that were published?

Their sums are in its tfvae.json, so this finds damage, not a forgery.
"""

import json
import os
from typing import Any

from tfvae import storage
from tfvae.errors import FailedError

MANIFEST = os.path.join("assets.extra", "tfvae.json")
GRAPH, VARIABLES = "saved_model.pb", "variables"

Sums = dict[str, dict[str, Any]]


def sums(folder: str) -> Sums:
    """Returns what the files with the graph and the weights hold.

    Args:
      folder: of a version.

    Returns:
      {path in the folder: {"bytes": how many, "sha256": in hexadecimal}}.
    """
    names = [GRAPH]
    if storage.is_folder(os.path.join(folder, VARIABLES)):
        weights = storage.names(os.path.join(folder, VARIABLES))
        names += [os.path.join(VARIABLES, name) for name in weights]
    found = {}
    for name in names:
        size, digest = storage.size_and_sha256(os.path.join(folder, name))
        found[name] = {"bytes": size, "sha256": digest}
    return found


def check(folder: str) -> None:
    """Checks a version against its tfvae.json, if that holds sums.

    Args:
      folder: of a version.

    Raises:
      FailedError: a file is not the one that was published, is missing, or
        cannot be read.
    """
    path = os.path.join(folder, MANIFEST)
    try:
        if not storage.exists(path):
            return  # published by another program
        recorded = _recorded(json.loads(storage.read(path)))
        found = sums(folder) if recorded else {}
    except (ValueError, RecursionError) as error:
        raise _damaged(folder, f"{MANIFEST} cannot be read") from error
    except OSError as error:
        raise _damaged(folder, f"{error.filename}: {error.strerror}") from error
    for name, wanted in recorded.items():
        if name not in found:
            raise _damaged(folder, f"{name} is missing")
        size = found[name]["bytes"]
        if size != wanted.get("bytes"):
            raise _damaged(
                folder, f"{name} has {size:,} bytes, not {wanted.get('bytes')}"
            )
        if found[name] != wanted:
            raise _damaged(folder, f"{name} has another sha256 sum")


def _recorded(manifest: Any) -> Sums:
    """Returns the sums of a manifest; ones without any are of old exports."""
    files = manifest.get("files", {}) if isinstance(manifest, dict) else None
    if not isinstance(files, dict) or not all(
        isinstance(entry, dict) for entry in files.values()
    ):
        raise ValueError("no object of objects")
    return files


def _damaged(folder: str, what: str) -> FailedError:
    return FailedError(
        f"{folder} is not what was published: {what}; publish the run anew "
        "with `python -m export.saved_model`."
    )
