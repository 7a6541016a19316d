"""What a running server says of its models, over REST."""

import dataclasses
import json
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from export.codes import Code

AVAILABLE, END = "AVAILABLE", "END"
TIMEOUT_SECONDS = 10.0


class UnreachableError(Exception):
    """No server of models answered; the message says why."""


@dataclasses.dataclass(frozen=True)
class VersionState:
    """What a server tells of a version.

    Attributes:
      state: START, LOADING, AVAILABLE, UNLOADING or END; empty: it knows of
        no such version.
      code: the name of a canonical code; OK, or why it ended.
      message: the words to that.
    """

    state: str = ""
    code: str = Code.OK.name
    message: str = ""

    def has_failed(self) -> bool:
        """Whether it could not be loaded; else it may have been dropped."""
        return self.state == END and self.code != Code.OK.name


class ServerState:
    """Asks a server.

    Args:
      url: of its REST interface, as http://HOST:PORT.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")

    def versions(self, model: str) -> dict[int, VersionState]:
        """Returns the versions of a model that the server knows of.

        Raises:
          UnreachableError: no server answered.
        """
        answer = self._get(model)
        try:
            return {
                int(entry["version"]): VersionState(
                    entry["state"],
                    entry["status"]["error_code"],
                    entry["status"]["error_message"],
                )
                for entry in answer.get("model_version_status", [])
            }
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise self._unreachable("it is no server of models") from error

    def version(self, model: str, number: int) -> VersionState:
        """Returns the state of one version.

        Raises:
          UnreachableError: no server answered.
        """
        return self.versions(model).get(number, VersionState())

    def label(self, model: str, label: str) -> int | None:
        """Returns the version that answers for a label; None: none does.

        Raises:
          UnreachableError: no server answered.
        """
        # The status is the same for every label; the metadata are not.
        answer = self._get(model, "labels", label, "metadata")
        try:
            version = answer.get("model_spec", {}).get("version")
            return None if version is None else int(version)
        except (AttributeError, TypeError, ValueError) as error:
            raise self._unreachable("it is no server of models") from error

    def _get(self, *parts: str) -> Any:
        """Returns the parsed answer; that of an error holds no more than it."""
        path = "/".join(urllib.parse.quote(part, safe="") for part in parts)
        address = f"{self.url}/v1/models/{path}"
        try:
            with urllib.request.urlopen(
                address, timeout=TIMEOUT_SECONDS
            ) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                if error.code in (400, 404):
                    return {}
                raise self._unreachable(f"HTTP status {error.code}") from error
        except urllib.error.URLError as error:
            raise self._unreachable(str(error.reason)) from error
        except (OSError, ValueError) as error:
            raise self._unreachable(str(error)) from error

    def _unreachable(self, why: str) -> UnreachableError:
        return UnreachableError(f"no server of models at {self.url}: {why}")
