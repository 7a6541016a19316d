"""The two ends of the wire: the chief's server, and a worker's way to it."""

import functools
import socket
import time
from collections.abc import Callable
from concurrent import futures
from typing import Any

import grpc
import keras_tuner
from keras_tuner.engine.trial import Trial, TrialStatus
from keras_tuner.src import protos
from keras_tuner.src.distribute.oracle_chief import OracleServicer
from keras_tuner.src.distribute.oracle_client import OracleClient

from tfvae.errors import InputError, TrainingError
from tuning import robust, workers

# Else a second chief would share the port, and the workers.
OWN_PORT = [("grpc.so_reuseport", 0)]
# A worker finds a chief that was started again within seconds.
RECONNECT = [
    ("grpc.initial_reconnect_backoff_ms", 500),
    ("grpc.min_reconnect_backoff_ms", 500),
    ("grpc.max_reconnect_backoff_ms", 2000),
]
POLL_SECONDS = 1.0
REMIND_SECONDS = 60.0
PATIENCE_SECONDS = 2.0  # for the chief, before one says that one waits
LAST_ANSWERS_SECONDS = 1.0
# The connection broke; the chief may be about to start again.
BROKEN = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)


class ChiefLostError(TrainingError, keras_tuner.errors.FatalError):
    """The chief does not answer; keras-tuner lets a FatalError through."""


def serve(
    oracle: robust.Robust,
    watch: workers.Watch,
    *,
    on_change: Callable[[], None] = lambda: None,
    report: Callable[[str], None] = print,
    poll_seconds: float = POLL_SECONDS,
) -> None:
    """Hands out trials until the search is over and every worker knows it.

    Workers that outlived an earlier chief keep their trials; the trial of a
    worker that is lost is handed to another.

    Args:
      oracle: that decides what is tried; reloaded already where it goes on.
      watch: tells which workers are lost.
      on_change: called when trials began or ended, while nobody else can
        change the oracle.
      report: takes a line for the user.
      poll_seconds: between two looks.

    Raises:
      InputError: the address is taken, or is not of this host.
    """
    servicer = OracleServicer(oracle)
    server = grpc.server(futures.ThreadPoolExecutor(1), options=OWN_PORT)
    protos.get_service_grpc().add_OracleServicer_to_server(servicer, server)
    _take_address(server)
    oracle.reclaim(watch.present())
    server.start()
    try:
        _attend(
            oracle, watch, servicer,
            on_change=on_change, report=report, poll_seconds=poll_seconds,
        )  # fmt: skip
    finally:
        server.stop(LAST_ANSWERS_SECONDS).wait()


def connect(
    client: OracleClient,
    *,
    chief_timeout_seconds: float = 600.0,
    silence_seconds: float = 60.0,
    report: Callable[[str], None] = print,
) -> None:
    """Waits for the chief; from then on no call to it waits for ever.

    Args:
      client: a worker's oracle, as keras-tuner's tuner makes it.
      chief_timeout_seconds: how long to wait for the chief now.
      silence_seconds: how long each later call waits for a chief that is gone;
        one that is started again in the meantime is found.
      report: takes a line for the user.

    Raises:
      ChiefLostError: there is no chief; later, from each call: any more.
    """
    channel = grpc.insecure_channel(workers.chief_address(), options=RECONNECT)
    is_ready = grpc.channel_ready_future(channel)
    first = min(PATIENCE_SECONDS, chief_timeout_seconds)
    try:
        try:
            is_ready.result(timeout=first)
        except grpc.FutureTimeoutError:
            report(
                f"waiting for the chief at {workers.chief_address()}, for at "
                f"most {chief_timeout_seconds:g} seconds"
            )
            is_ready.result(timeout=chief_timeout_seconds - first)
    except grpc.FutureTimeoutError as error:
        channel.close()
        raise ChiefLostError(
            f"no chief answers at {workers.chief_address()}; start one there "
            "with --role=chief, or give its address."
        ) from error
    stub = protos.get_service_grpc().OracleStub(channel)
    client.stub = _ImpatientStub(stub, silence_seconds=silence_seconds)


class _ImpatientStub:
    """keras-tuner's calls to the chief, which by themselves wait an hour."""

    def __init__(self, stub: Any, *, silence_seconds: float) -> None:
        self._stub = stub
        self._silence_seconds = silence_seconds

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return functools.partial(self._call, getattr(self._stub, name))

    def _call(self, method: Any, request: Any, **_: Any) -> Any:
        deadline = time.monotonic() + self._silence_seconds
        while True:
            left = deadline - time.monotonic()
            try:
                # All calls may be made twice: see robust.Robust.
                return method(request, wait_for_ready=True, timeout=left)
            except grpc.RpcError as error:
                broken = error.code() in BROKEN
                if not broken or time.monotonic() > deadline:
                    raise ChiefLostError(
                        self._complaint(error, broken)
                    ) from error
            time.sleep(POLL_SECONDS / 10)

    def _complaint(self, error: grpc.RpcError, broken: bool) -> str:
        chief = f"the chief at {workers.chief_address()}"
        if broken or error.code() == grpc.StatusCode.DEADLINE_EXCEEDED:
            return (
                f"{chief} has not answered for {self._silence_seconds:g} "
                "seconds; start it again, and then this worker."
            )
        return f"{chief} failed: {error.details()}"


def _take_address(server: grpc.Server) -> None:
    address = workers.chief_address()
    host, _, port = address.rpartition(":")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        # gRPC's own refusal comes with lines of its log.
        socket.create_server(
            (host.strip("[]"), int(port)), family=family
        ).close()
        server.add_insecure_port(address)
    except (OSError, RuntimeError) as error:
        raise InputError(
            f"`chief` address {address} is taken, or is not of this host; end "
            "the chief that is there, or give another HOST:PORT to all."
        ) from error


def _attend(
    oracle: robust.Robust,
    watch: workers.Watch,
    servicer: OracleServicer,
    *,
    on_change: Callable[[], None],
    report: Callable[[str], None],
    poll_seconds: float,
) -> None:
    """Looks after the workers until the search is over and all have left."""
    before, remind_at = None, time.monotonic()
    while True:
        present = {*oracle.workers(), *watch.present()}
        for tuner_id in watch.lost(present):
            watch.forget(tuner_id)
            trial = oracle.release(tuner_id)
            if trial is not None:
                report(_loss(tuner_id, trial))
        with robust.locked(oracle):
            now = (tuple(oracle.end_order), set(oracle.workers().values()))
            if now != before:
                before = now
                on_change()
        if present:
            remind_at = time.monotonic() + REMIND_SECONDS
        elif servicer.stop_triggered or oracle.is_over:
            return
        elif time.monotonic() >= remind_at:
            report(f"waiting for workers at {workers.chief_address()}")
            remind_at = time.monotonic() + REMIND_SECONDS
        time.sleep(poll_seconds)


def _loss(tuner_id: str, trial: Trial) -> str:
    failed = trial.status == TrialStatus.FAILED
    then = f"has failed: {trial.message}" if failed else "goes to another one"
    return f"worker {tuner_id} is lost; its trial {trial.trial_id} {then}"
