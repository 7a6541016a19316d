"""Exit statuses, one line on stderr, and a quiet, quick start."""

import gc
import os
import pathlib
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from tfvae import program
from tfvae.errors import (
    InputError,
    LostWorkerError,
    MissingRunError,
    TrainingError,
)
from tfvae.flags import HelpRequested


@pytest.fixture(autouse=True)
def _argv(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["somewhere/train.py", "--epochs=3"])


def _raises(error: BaseException) -> Callable[[list[str]], int]:
    def main(argv: list[str]) -> int:
        raise error

    return main


def _status(main: Callable[[list[str]], int]) -> int:
    with pytest.raises(SystemExit) as ended:
        program.run_main(main)
    assert isinstance(ended.value.code, int)
    return ended.value.code


@pytest.mark.parametrize("status", [0, 3, 143])
def test_status_is_what_main_returns(
    status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    seen = []

    def main(argv: list[str]) -> int:
        seen.append(argv)
        return status

    assert _status(main) == status
    assert seen == [["somewhere/train.py", "--epochs=3"]]
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (InputError("`x` must be\n  1 or 2;\n got 3."), 2),
        (MissingRunError("`x` must be 1 or 2; got 3."), 2),
        (TrainingError("`x` must be 1 or 2;\tgot 3."), 1),
        (LostWorkerError("`x` must be 1 or 2; got 3."), 75),
    ],
    ids=["input", "missing", "training", "lost"],
)
def test_error_is_one_line_without_traceback(
    error: Exception, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _status(_raises(error)) == status
    out, err = capsys.readouterr()
    assert (out, err) == ("", "train.py: `x` must be 1 or 2; got 3.\n")


def test_no_name_reaches_the_terminal_s_controls(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert _status(_raises(InputError("no \x1b[2Jimage\x07 é."))) == 2
    assert capsys.readouterr().err == "train.py: no ?[2Jimage? é.\n"


def test_ctrl_c_outside_of_training_is_one_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert _status(_raises(KeyboardInterrupt())) == 130
    expected = (
        "train.py: stopped; a run that had begun goes on with its --run_dir.\n"
    )
    assert capsys.readouterr() == ("", expected)


def test_sigterm_outside_of_training_is_one_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = signal.getsignal(signal.SIGTERM)

    def main(argv: list[str]) -> int:
        signal.raise_signal(signal.SIGTERM)
        return 0

    with pytest.raises(SystemExit) as ended:
        program.run_main(main, stopped="stopped.")
    assert ended.value.code == 143
    assert capsys.readouterr() == ("", "train.py: stopped.\n")
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_package_s_program_has_the_package_s_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["there/export/client/__main__.py"])
    with pytest.raises(SystemExit):
        program.run_main(_raises(KeyboardInterrupt()), stopped="no more.")
    assert capsys.readouterr() == ("", "client: no more.\n")


def test_help_goes_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    assert _status(_raises(HelpRequested("all flags"))) == 0
    assert capsys.readouterr() == ("all flags\n", "")


def test_mistake_of_ours_keeps_its_traceback() -> None:
    with pytest.raises(KeyError, match="ours"):
        program.run_main(_raises(KeyError("ours")))


def test_start_is_quiet(capfd: pytest.CaptureFixture[str]) -> None:
    with program.quiet_start():
        os.write(2, b"libraries chatter\n")
    os.write(2, b"heard again\n")
    assert capfd.readouterr().err == "heard again\n"


def test_failed_start_shows_what_was_written(
    capfd: pytest.CaptureFixture[str],
) -> None:
    def start() -> None:
        with program.quiet_start():
            os.write(2, b"the reason\n")
            raise ImportError("broken")

    with pytest.raises(ImportError, match="broken"):
        start()
    assert capfd.readouterr().err == "the reason\n"


@pytest.fixture
def _before_tensorflow(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Makes this process look like one that is still to load TensorFlow."""
    monkeypatch.delitem(sys.modules, "tensorflow")
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("_before_tensorflow")
def test_libraries_are_not_looked_through_for_garbage() -> None:
    with program.quiet_start():
        assert not gc.isenabled()
        libraries = [[] for _ in range(1000)]
    assert gc.isenabled()
    assert gc.get_freeze_count() > len(libraries)


@pytest.mark.usefixtures("_before_tensorflow")
def test_failed_start_leaves_the_collector_on() -> None:
    with pytest.raises(ImportError), program.quiet_start():
        raise ImportError("broken")
    assert gc.isenabled()


def test_process_that_has_its_libraries_keeps_its_garbage() -> None:
    frozen = gc.get_freeze_count()
    with program.quiet_start():
        assert gc.isenabled()
    assert gc.get_freeze_count() == frozen


@pytest.mark.slow
def test_training_loads_what_it_uses_and_no_more(
    tmp_path: pathlib.Path,
) -> None:
    code = (
        "import sys; from tfvae import train; "
        f"train.main(['train', '--run_dir={tmp_path}', '--epochs=1', "
        "'--hidden_units=4', '--latent_dim=2']); "
        "print('loaded:', *(name for name in ('keras', 'keras_tuner', "
        "'tensorflow_datasets', 'matplotlib') if name in sys.modules))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert ended.stdout.splitlines()[-1] == "loaded: matplotlib"
