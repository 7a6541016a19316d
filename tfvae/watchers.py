"""Callbacks that write what people look at, and what becomes of a full disk."""

from collections.abc import Sequence
from typing import Any

import tf_keras

from tfvae import storage
from tfvae.folder import writing

EVENTS = (
    "on_train_begin", "on_epoch_begin", "on_train_batch_end", "on_test_begin",
    "on_test_batch_end", "on_epoch_end", "on_train_end",
)  # fmt: skip


class Watchers(tf_keras.callbacks.Callback):
    """Tells callbacks that write to a folder of all that happens in a run.

    Args:
      callbacks: in the order in which they are told.
      path: of the folder.

    Raises:
      WriteError: at any event: one of them could not write.
    """

    def __init__(
        self, callbacks: Sequence[tf_keras.callbacks.Callback], path: str
    ) -> None:
        super().__init__()
        self._callbacks = list(callbacks)
        self._path = path
        for event in EVENTS:
            setattr(self, event, self._teller(event))

    def set_model(self, model: tf_keras.Model) -> None:
        """Tells them which model is trained."""
        for callback in self._callbacks:
            callback.set_model(model)

    def _teller(self, event: str) -> Any:
        def tell(*args: Any) -> None:
            with writing(self._path), storage.os_errors(self._path):
                for callback in self._callbacks:
                    getattr(callback, event)(*args)

        return tell
