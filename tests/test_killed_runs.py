"""A job whose processes are killed ends as one that was left alone."""

import os
import pathlib
import signal

import pytest

from tests.benchmarks import faults, kills

pytestmark = pytest.mark.slow


def test_killed_job_goes_on_to_the_result_of_the_undisturbed(
    tmp_path: pathlib.Path,
) -> None:
    faults.finish(*kills.command(tmp_path / "undisturbed"))
    run = tmp_path / "run"
    program = faults.Started(*kills.command(run))

    assert program.wait_for(lambda: faults.num_rows(run) >= 2)
    chief = program.worker(0)
    assert chief is not None
    assert program.wait_for(lambda: faults.is_saving(run))
    os.kill(chief, signal.SIGKILL)

    assert program.wait_for(lambda: faults.num_rows(run) >= 5)
    program.process.terminate()
    assert program.wait() == 143
    assert program.left_behind() == program.misspoken() == []
    text = "\n".join(program.stderr())
    assert "worker 0 was killed (SIGKILL); restart 1 of 3" in text

    again = faults.Started(*kills.command(run))
    assert again.wait() == 0
    assert again.left_behind() == again.stderr() == []
    assert faults.flaws(run) == []
    assert faults.differences(run, tmp_path / "undisturbed") == []
