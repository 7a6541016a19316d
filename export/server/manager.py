"""Serves the models of a configuration, as it and their folders change."""

import logging
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager

from export.codes import Code
from export.server import model_config, versions
from export.server.arrival import Arrival
from export.server.errors import ServingError
from export.server.inventory import Inventory, Load
from export.server.loading import Loader
from export.server.metrics import Metrics
from export.server.model_config import Config, Labels
from export.server.options import Options
from export.server.servable import Servable, VersionStatus

LOG = logging.getLogger(__name__)
LOOK_SECONDS = 0.5  # between two looks whether a reload is still waited for


class Manager:
    """Watches base paths and the configuration's file, answers who is served.

    Args:
      config: which models.
      options: how.
      metrics: take what is loaded.
      load: loads a version; None: with TensorFlow.

    Raises:
      ServingError: the options break a rule of the server.
    """

    def __init__(
        self,
        config: Config,
        options: Options,
        *,
        metrics: Metrics,
        load: Load | None = None,
    ) -> None:
        self._options = options
        self._inventory = Inventory(
            load or Loader(options, metrics=metrics).load,
            max_retries=options.max_num_load_retries,
            retry_seconds=options.load_retry_interval_micros / 1e6,
        )
        self._first_config, self._config = config, Config()
        self._places = model_config.places(config, options.model_config_file)
        self._first_arrival = Arrival(())
        self._labels: Labels = {}
        self._watching = threading.Lock()  # the configuration in use
        self._reloading = threading.Lock()
        self._closing = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Starts to watch and to load; returns before anything is loaded.

        Raises:
          ServingError: the configuration is refused.
        """
        self._first_arrival = self._accept(self._first_config)
        self._inventory.start(self._first_arrival)
        if self._options.file_system_poll_wait_seconds >= 0:
            self._start_thread(self._poll_on)
        if self._options.model_config_file_poll_wait_seconds > 0:
            self._start_thread(self._follow_config_file)

    def wait_until_ready(self, timeout: float | None = None) -> bool:
        """Waits for a version of every model of the first configuration.

        Args:
          timeout: seconds; None: no limit but that of `close`.

        Returns:
          is_ready: False: not yet.

        Raises:
          ServingError: a model could not be loaded; the real server ends.
        """
        if not self._inventory.wait(self._first_arrival, timeout):
            return False
        self._first_arrival.check()
        return True

    def use(
        self, name: str, *, version: int | None = None, label: str | None = None
    ) -> AbstractContextManager[Servable]:
        """Holds a version; it is not unloaded before the block has ended.

        Args:
          name: of the model.
          version: its number.
          label: that points at it; with neither: the newest one loaded.

        Raises:
          ServingError: the label is unknown, or the version is not loaded.
        """
        if label is not None:
            labels = self._labels.get(name, {})
            if label not in labels:
                raise ServingError(
                    Code.INVALID_ARGUMENT,
                    f"Unrecognized servable version label: {label}",
                )
            version = labels[label]
        return self._inventory.hold(name, version)

    def statuses(
        self, name: str, *, version: int | None = None, label: str | None = None
    ) -> list[VersionStatus]:
        """Returns where versions of a model stand, the newest first.

        Those that have ended are among them.

        Args:
          name: of the model.
          version: its number; None: all.
          label: not heeded; known or not, all versions are told.

        Raises:
          ServingError: there is no such model, or version.
        """
        known = self._inventory.statuses(name)
        if version is not None:
            if version not in known:
                raise ServingError(
                    Code.NOT_FOUND,
                    f"Could not find version {version} of model {name}",
                )
            return [known[version]]
        if not known:
            raise ServingError(
                Code.NOT_FOUND, f"Could not find any versions of model {name}"
            )
        return [known[number] for number in sorted(known, reverse=True)]

    def reload(
        self, config: Config, *, is_wanted: Callable[[], bool] = lambda: True
    ) -> None:
        """Takes a configuration from elsewhere; waits for its new models.

        Like the real server, it waits for ever where one has no version.

        Args:
          config: all of the models; those not in it are unloaded.
          is_wanted: whether somebody still waits for the end.

        Raises:
          ServingError: it is refused, a new model could not be loaded, nobody
            waits any more, or the manager is closed.
        """
        model_config.check_places(config, places=self._places)
        self._take(config, is_wanted=is_wanted)

    def poll(self) -> None:
        """Looks at all base paths; where one fails, nothing is changed."""
        with self._watching:
            models = self._config.model_config_list.config
            try:
                wishes = {model.name: versions.find(model) for model in models}
            except ServingError as error:
                LOG.error("the file system cannot be looked at: %s", error)
                return
            self._inventory.want(wishes)

    def close(self) -> None:
        """Unloads all; requests that still run get some seconds to end."""
        self._closing.set()
        self._inventory.close()
        for thread in self._threads:
            thread.join()

    def _take(self, config: Config, *, is_wanted: Callable[[], bool]) -> None:
        """Takes a configuration, once those before it are loaded."""
        while not self._reloading.acquire(timeout=LOOK_SECONDS):
            self._check_goes_on(is_wanted)
        try:
            self.wait_until_ready()
            arrival = self._accept(config)
            while not self._inventory.wait(arrival, LOOK_SECONDS):
                self._check_goes_on(is_wanted)
            arrival.check()
        finally:
            self._reloading.release()

    def _check_goes_on(self, is_wanted: Callable[[], bool]) -> None:
        if self._closing.is_set():
            raise ServingError(Code.UNAVAILABLE, "The server is ending")
        if not is_wanted():
            raise ServingError(Code.CANCELLED, "Nobody waits for the reload")

    def _accept(self, config: Config) -> Arrival:
        """Takes a configuration; returns the arrival of its new models."""
        with self._watching:
            model_config.check(config, before=self._config)
            self._labels = model_config.new_labels(
                config,
                before=self._labels,
                is_available=self._is_available,
                allow_unavailable=(
                    self._options.allow_version_labels_for_unavailable_models
                ),
            )
            before, now = _names(self._config), _names(config)
            self._config = config
            arrival = self._inventory.expect(now - before)
            self._inventory.want({name: {} for name in before - now})
            return arrival

    def _is_available(self, name: str, version: int) -> bool:
        status = self._inventory.statuses(name).get(version)
        return status is not None and status.state == "AVAILABLE"

    def _start_thread(self, target: Callable[[], None]) -> None:
        self._threads.append(threading.Thread(target=target, daemon=True))
        self._threads[-1].start()

    def _poll_on(self) -> None:
        """Looks at once, then again and again; where it should, only once."""
        seconds = self._options.file_system_poll_wait_seconds
        self.poll()
        while seconds and not self._closing.wait(seconds):
            self.poll()

    def _follow_config_file(self) -> None:
        """Reads the file again and again; a broken one changes nothing."""
        seconds = self._options.model_config_file_poll_wait_seconds
        while not self._closing.wait(seconds):
            try:
                config = model_config.read(self._options.model_config_file)
                self._take(config, is_wanted=lambda: True)
            except ServingError as error:
                LOG.error("the configuration is not changed: %s", error)


def _names(config: Config) -> set[str]:
    return {model.name for model in config.model_config_list.config}
