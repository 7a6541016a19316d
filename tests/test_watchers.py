"""Callbacks that write are told of everything, and may fail to write."""

import errno
import pathlib
from typing import Any

import pytest
import tensorflow as tf
import tf_keras

from tfvae.errors import WriteError
from tfvae.watchers import EVENTS, Watchers


class _Listener(tf_keras.callbacks.Callback):
    def __init__(self, told: list[Any]) -> None:
        super().__init__()
        for event in EVENTS:
            setattr(self, event, lambda *a, e=event: told.append((e, *a)))


class _FullDisk(tf_keras.callbacks.Callback):
    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        raise self.error


def test_every_event_reaches_all_in_order(tmp_path: pathlib.Path) -> None:
    told: list[Any] = []
    watchers = Watchers([_Listener(told), _Listener(told)], str(tmp_path))
    model = tf_keras.Sequential()
    watchers.set_model(model)
    watchers.on_epoch_begin(4)
    watchers.on_train_batch_end(7, {"loss": 1.0})
    watchers.on_train_end()
    expected = [
        ("on_epoch_begin", 4),
        ("on_train_batch_end", 7, {"loss": 1.0}),
        ("on_train_end",),
    ]
    assert told == [event for event in expected for _ in range(2)]
    assert [c.model for c in watchers._callbacks] == [model, model]


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        tf.errors.ResourceExhaustedError(
            None, None, "/x/events; No space left on device"
        ),
    ],
)
def test_full_disk_is_told_in_one_line(
    tmp_path: pathlib.Path, error: Exception
) -> None:
    watchers = Watchers([_FullDisk(error)], str(tmp_path))
    with pytest.raises(WriteError, match="No space left on device; what was"):
        watchers.on_epoch_end(0, {})
