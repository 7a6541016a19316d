"""What a server answers instead of a result."""

import errno

from export.codes import Code

# TensorFlow's codes for the errors of a file system.
OS_CODES = {
    errno.ENOENT: Code.NOT_FOUND,
    errno.ENOTDIR: Code.FAILED_PRECONDITION,
    errno.EISDIR: Code.FAILED_PRECONDITION,
    errno.EACCES: Code.PERMISSION_DENIED,
    errno.EPERM: Code.PERMISSION_DENIED,
    errno.ELOOP: Code.FAILED_PRECONDITION,
}
TOO_LARGE = "there is not enough memory for this request"


class ServingError(Exception):
    """A request, a configuration or a version was refused.

    Attributes:
      code: its canonical status code.
      message: for the client, in the real server's words.
    """

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(f"{code.name}: {message}")
        self.code, self.message = code, message


def from_os_error(error: OSError) -> ServingError:
    """Returns what TensorFlow says of an error of the file system."""
    return ServingError(
        OS_CODES.get(error.errno or 0, Code.UNKNOWN),
        f"{error.filename}; {error.strerror}",
    )
