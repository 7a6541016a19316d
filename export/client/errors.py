"""What a call raises where it gets no good answer.

Wrong arguments are no part of it: they are a ValueError (`tfvae.InputError`)
before anything is sent.
"""

from export.codes import Code


class ClientError(Exception):
    """A call got no good answer."""


class ConnectionFailed(ClientError):
    """There is no connection to the server, or it was lost.

    Attributes:
      may_retry: whether nothing was sent, so that another try does no harm.
    """

    def __init__(self, message: str, *, may_retry: bool) -> None:
        super().__init__(message)
        self.may_retry = may_retry


class BadAnswer(ClientError):
    """The answer is none that a model server gives."""


class ServerError(ClientError):
    """The server refused, or failed.

    Attributes:
      code: its status code.
      message: its own words.
    """

    code = Code.UNKNOWN

    def __init__(self, message: str) -> None:
        super().__init__(f"{self.code.name}: {message}")
        self.message = message


class Cancelled(ServerError):
    """The call was given up."""

    code = Code.CANCELLED


class Unknown(ServerError):
    """An error of no known kind."""

    code = Code.UNKNOWN


class InvalidArgument(ServerError):
    """The request is wrong. REST also says so where a state is wrong."""

    code = Code.INVALID_ARGUMENT


class DeadlineExceeded(ServerError):
    """There was no answer in time."""

    code = Code.DEADLINE_EXCEEDED


class NotFound(ServerError):
    """There is no such model or version."""

    code = Code.NOT_FOUND


class AlreadyExists(ServerError):
    """What should be made is there already."""

    code = Code.ALREADY_EXISTS


class PermissionDenied(ServerError):
    """The caller may not do this."""

    code = Code.PERMISSION_DENIED


class ResourceExhausted(ServerError):
    """The server, or the caller's share of it, is used up."""

    code = Code.RESOURCE_EXHAUSTED


class FailedPrecondition(ServerError):
    """The server's state does not permit the request."""

    code = Code.FAILED_PRECONDITION


class Aborted(ServerError):
    """The request was stopped by another."""

    code = Code.ABORTED


class OutOfRange(ServerError):
    """A value lies outside the range that the model takes."""

    code = Code.OUT_OF_RANGE


class Unimplemented(ServerError):
    """The server cannot do this."""

    code = Code.UNIMPLEMENTED


class Internal(ServerError):
    """The server failed."""

    code = Code.INTERNAL


class Unavailable(ServerError):
    """The server is too busy, or not ready; the same request may do later."""

    code = Code.UNAVAILABLE
    may_retry = True


class DataLoss(ServerError):
    """The server's files are damaged."""

    code = Code.DATA_LOSS


class Unauthenticated(ServerError):
    """The caller did not say who it is."""

    code = Code.UNAUTHENTICATED


KINDS: dict[Code, type[ServerError]] = {
    kind.code: kind for kind in ServerError.__subclasses__()
}


def server_error(code: Code, message: str) -> ServerError:
    """Returns the error of a status code other than OK."""
    return KINDS[code](message)
