"""What every program shares: exit status, one-line errors, quiet start-up."""

import contextlib
import gc
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator

from tfvae.errors import (
    FailedError,
    InputError,
    LostWorkerError,
    MissingRunError,
)
from tfvae.flags import HelpRequested

DONE, FAILED, WRONG_INPUT = 0, 1, 2
LOST_WORKER, INTERRUPTED, TERMINATED = 75, 130, 143
STATUS_OF_SIGNAL = {"SIGINT": INTERRUPTED, "SIGTERM": TERMINATED}


RESUMABLE = "stopped; a run that had begun goes on with its --run_dir."


def run_main(
    main: Callable[[list[str]], int], *, stopped: str = RESUMABLE
) -> None:
    """Runs a program's `main` and ends the process with its exit status.

    Args:
      main: takes sys.argv and returns the exit status. InputError becomes one
        line and status 2, FailedError one line and 1, Ctrl-C one line and
        130, SIGTERM the same and 143; any other error keeps its traceback.
      stopped: what that line says after a signal.
    """
    folder, name = os.path.split(sys.argv[0])
    if name == "__main__.py":
        name = os.path.basename(folder)
    try:
        with _terminable():
            status = main(sys.argv)
        sys.stdout.flush()
    except HelpRequested as help_text:
        print(help_text)
        status = DONE
    except InputError as error:
        print(f"{name}: {_one_line(error)}", file=sys.stderr)
        status = WRONG_INPUT
    except LostWorkerError as error:
        print(f"{name}: {_one_line(error)}", file=sys.stderr)
        status = LOST_WORKER
    except FailedError as error:
        print(f"{name}: {_one_line(error)}", file=sys.stderr)
        status = FAILED
    except KeyboardInterrupt as interrupted:
        print(f"{name}: {stopped}", file=sys.stderr)
        status = STATUS_OF_SIGNAL[str(interrupted) or "SIGINT"]
    sys.exit(status)


@contextlib.contextmanager
def _terminable() -> Iterator[None]:
    """Makes SIGTERM what Ctrl-C is, where a program does no more about it."""

    def stop(number: int, frame: object) -> None:
        raise KeyboardInterrupt(signal.Signals(number).name)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def quiet_start() -> Iterator[None]:
    """Keeps what TensorFlow's libraries print while they load off stderr.

    They write to the file descriptor before any logging level applies. If
    loading fails, what they wrote is shown.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Else TensorFlow loads Keras 3, which loads scikit-learn and matplotlib.
    os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
    sys.stderr.flush()
    with _uncollected(), tempfile.TemporaryFile() as captured:
        stderr, loaded = os.dup(2), False
        os.dup2(captured.fileno(), 2)
        try:
            yield
            loaded = True
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            if not loaded:
                captured.seek(0)
                os.write(2, captured.read())


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Spares the garbage collector the libraries that load, for good.

    They stay, and are half a million objects: looking through them takes a
    fifth of the time of loading, and a second when the process ends.
    """
    if "tensorflow" in sys.modules:
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def start_tensorflow(
    num_virtual_devices: int = 0, *, uses_devices: bool = True
) -> None:
    """Loads TensorFlow, with its log silent; call it in `quiet_start`.

    Args:
      num_virtual_devices: logical devices of the CPU; 0: as it is.
      uses_devices: False leaves them alone, as a job of several workers must
        be known before anything uses them.
    """
    import absl.logging
    import tensorflow as tf

    from tfvae import strategy

    absl.logging.set_verbosity(absl.logging.ERROR)
    tf.get_logger().setLevel("ERROR")
    if num_virtual_devices:
        strategy.split_cpu(num_virtual_devices)
    if uses_devices:
        tf.config.list_logical_devices()


def missing_run_dir() -> MissingRunError:
    """Returns the error for a program that was given no run folder."""
    return MissingRunError(
        "`run_dir` must name the folder of a trained run; give --run_dir=R, "
        "which `python -m tfvae.train` prints at its end."
    )


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    # Names of files may hold what a terminal would obey.
    return "".join(char if char.isprintable() else "?" for char in text)
