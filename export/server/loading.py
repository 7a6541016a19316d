"""Loads a version: its graph, the batching of its requests, its warm-up."""

import dataclasses
import os
import time
from collections.abc import Iterable

from export import batching, c_api, integrity
from export.codes import Code
from export.protos import meta_graph_pb2
from export.server import warm_up
from export.server.batching_session import BatchingSession
from export.server.errors import ServingError, from_os_error
from export.server.lifecycle import Version
from export.server.metrics import Metrics
from export.server.options import Options
from export.server.servable import Runner, Servable
from tfvae.errors import FailedError

GRAPH = ("saved_model.pb", "saved_model.pbtxt")  # either of them


def look_through(version: Version) -> None:
    """Makes sure that a version's folder and all in it can be read.

    The real server adds up the sizes of the files, to guess the memory.

    Raises:
      ServingError: it is no folder, or something in it cannot be read.
    """
    try:
        _look_through(version.folder)
    except ServingError as error:
        raise ServingError(
            error.code,
            "Error while attempting to reserve resources to load servable "
            f"{version}: {error.message}",
        ) from error


class Loader:
    """Loads versions as the server's flags say.

    Args:
      options: the flags.
      metrics: take the time.

    Raises:
      ServingError: the parameters of batching break a rule.
    """

    def __init__(self, options: Options, *, metrics: Metrics) -> None:
        self._options, self._metrics = options, metrics
        self._common = (
            options.batching_parameters or batching.BatchingParameters()
        )
        if options.enable_batching:
            _check(self._common)

    def load(self, name: str, *, version: int, folder: str) -> Servable:
        """Returns a version, warm.

        Args:
          name: of the model.
          version: its number.
          folder: that holds saved_model.pb.

        Raises:
          ServingError: it cannot be loaded, or a warm-up record fails.
        """
        session = self._load(folder)
        meta_graph = meta_graph_pb2.MetaGraphDef.FromString(session.meta_graph)
        runner: Runner = session
        try:
            runner = self._joined(
                session,
                folder=folder,
                signatures=meta_graph.signature_def.values(),
            )
            servable = Servable(name, version, folder, meta_graph, runner)
            if self._options.enable_model_warmup:
                warm_up.run(
                    servable,
                    iterations=self._options.num_request_iterations_for_warmup
                    or 1,
                    metrics=self._metrics,
                )
        except ServingError:
            runner.close()
            raise
        return servable

    def _load(self, folder: str) -> c_api.Session:
        if not any(os.path.exists(os.path.join(folder, f)) for f in GRAPH):
            raise ServingError(
                Code.NOT_FOUND,
                "Specified file path does not appear to contain a SavedModel "
                f"bundle (should have a file called `{GRAPH[0]}`)\n"
                f"Specified file path: {folder}",
            )
        try:
            integrity.check(folder)
        except FailedError as error:
            raise ServingError(Code.DATA_LOSS, str(error)) from error
        start, success = time.perf_counter(), False
        try:
            session = c_api.Session(
                folder,
                tags=self._options.saved_model_tags,
                config=self._options.session_config,
            )
            success = True
            return session
        except c_api.TensorFlowError as error:
            raise ServingError(error.code, error.message) from error
        finally:
            self._metrics.load(
                model_path=folder,
                success=success,
                seconds=time.perf_counter() - start,
            )

    def _joined(
        self,
        session: Runner,
        *,
        folder: str,
        signatures: Iterable[meta_graph_pb2.SignatureDef],
    ) -> Runner:
        """Returns a session that joins requests, where that is asked for."""
        parameters = self._parameters(folder)
        if parameters is None:
            return session
        return BatchingSession(
            session, parameters, signatures=signatures, metrics=self._metrics
        )

    def _parameters(self, folder: str) -> batching.BatchingParameters | None:
        """Returns how requests to a version are joined; None: they are not."""
        if not self._options.enable_batching:
            return None
        if not self._options.enable_per_model_batching_parameters:
            return self._common
        path = os.path.join(folder, batching.FILE)
        if not os.path.exists(path):
            return None
        own = _read(path)
        _check(own)
        # The threads are the server's own.
        return dataclasses.replace(
            own,
            num_batch_threads=self._common.num_batch_threads,
            thread_pool_name=self._common.thread_pool_name,
        )


def _look_through(folder: str) -> None:
    if not os.path.exists(folder):
        raise ServingError(Code.NOT_FOUND, f"{folder} not found")
    try:
        for parent, _, files in os.walk(
            folder, onerror=_raise, followlinks=True
        ):
            for name in files:
                os.stat(os.path.join(parent, name))
    except OSError as error:
        raise from_os_error(error) from error


def _read(path: str) -> batching.BatchingParameters:
    try:
        with open(path, encoding="utf-8") as file:
            return batching.read(file.read())
    except OSError as error:
        raise from_os_error(error) from error
    except ValueError as error:
        raise ServingError(
            Code.INVALID_ARGUMENT, f"Invalid protobuf file: '{path}'"
        ) from error


def _check(parameters: batching.BatchingParameters) -> None:
    try:
        parameters.check()
    except ValueError as error:
        raise ServingError(Code.INVALID_ARGUMENT, str(error)) from error


def _raise(error: OSError) -> None:
    raise error
