"""What the server says of the file system, in TensorFlow's words."""

import errno
import pathlib

import pytest
import tensorflow as tf

from export.codes import Code
from export.server.errors import ServingError, from_os_error


def test_error_tells_code_and_message() -> None:
    error = ServingError(Code.NOT_FOUND, "no such model")
    assert (error.code, error.message) == (Code.NOT_FOUND, "no such model")
    assert str(error) == "NOT_FOUND: no such model"


def test_words_are_tensorflow_s(tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").write_text("x")
    for name, path in (("absent", "absent"), ("file", "file/in")):
        with pytest.raises(tf.errors.OpError) as theirs:
            tf.io.gfile.GFile(str(tmp_path / path)).read()
        with pytest.raises(OSError, match=name) as caught:
            (tmp_path / path).read_text()
        ours = from_os_error(caught.value)
        assert ours.code == theirs.value.error_code
        assert theirs.value.message.endswith(ours.message)


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.EACCES, Code.PERMISSION_DENIED),
        (errno.EPERM, Code.PERMISSION_DENIED),
        (errno.EISDIR, Code.FAILED_PRECONDITION),
        (errno.ELOOP, Code.FAILED_PRECONDITION),
        (errno.EIO, Code.UNKNOWN),
    ],
)
def test_code_of_an_error_number(number: int, code: Code) -> None:
    error = from_os_error(OSError(number, "why", "/where"))
    assert (error.code, error.message) == (code, "/where; why")
