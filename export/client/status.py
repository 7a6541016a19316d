"""The versions of a model and the states they are in."""

import dataclasses
from collections.abc import Sequence

from export.client.errors import ServerError, server_error
from export.codes import Code
from export.protos import get_model_status_pb2

AVAILABLE, END = "AVAILABLE", "END"
STATES = get_model_status_pb2.ModelVersionStatus.State


@dataclasses.dataclass(frozen=True)
class VersionStatus:
    """One version of a model, as the server sees it.

    Attributes:
      version: its number.
      state: START, LOADING, AVAILABLE, UNLOADING or END.
      code: OK, or why it has ended.
      message: the same in the server's words; else empty.
    """

    version: int
    state: str
    code: Code = Code.OK
    message: str = ""

    @property
    def has_failed(self) -> bool:
        """Whether it has ended by a failure; its number is then used up."""
        return self.state == END and self.code != Code.OK

    def error(self) -> ServerError:
        """Returns the failure as an error."""
        return server_error(self.code, self.message)


def read_status(
    response: get_model_status_pb2.GetModelStatusResponse,
) -> list[VersionStatus]:
    """Returns the versions that a server tells of, newest first."""
    found = [
        VersionStatus(
            version=each.version,
            state=_state_name(each.state),
            code=_code(each.status.error_code),
            message=each.status.error_message,
        )
        for each in response.model_version_status
    ]
    return sorted(found, key=lambda status: status.version, reverse=True)


def is_ready(found: Sequence[VersionStatus], version: int | None) -> bool:
    """Whether a version is available.

    Args:
      found: of the model.
      version: that is waited for; None: any.

    Raises:
      ServerError: that version, or the newest where none is named and none
        is left that may become available, has failed.
    """
    waited_for = [s for s in found if version in (None, s.version)]
    if any(status.state == AVAILABLE for status in waited_for):
        return True
    if waited_for and all(status.state == END for status in waited_for):
        failed = [status for status in waited_for if status.has_failed]
        if failed:
            raise failed[0].error()
    return False


def in_words(found: Sequence[VersionStatus], version: int | None) -> str:
    """Returns what a version, or every one, is doing."""
    states = [
        f"version {status.version} is {status.state}"
        for status in found
        if version in (None, status.version)
    ]
    missing = (
        "no version is there"
        if version is None
        else (f"version {version} is not there")
    )
    return ", ".join(states) or missing


def _state_name(state: int) -> str:
    return STATES.Name(state) if state in STATES.values() else str(state)


def _code(code: int) -> Code:
    return Code(code) if code in set(Code) else Code.UNKNOWN
