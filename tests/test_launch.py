"""The launcher: what it refuses, starts, starts again and says."""

import contextlib
import os
import pathlib
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from tfvae import flags, launch, program
from tfvae.errors import InputError, LostWorkerError
from tfvae.job import End

LOST = End(75, "worker 1 was killed (SIGKILL)", is_worth_restarting=True)
DONE = End(0)


class FakeJobs:
    """In place of `Job`: ends as told, and keeps what it was asked for."""

    def __init__(self, ends: Sequence[End]) -> None:
        self.ends = list(ends)
        self.commands: list[list[str]] = []
        self.asked: list[tuple[int, float]] = []
        self.num_open = 0

    @contextlib.contextmanager
    def __call__(
        self, command: Sequence[str], num_workers: int, grace_seconds: float
    ) -> Iterator["FakeJobs"]:
        self.commands.append(list(command))
        self.asked.append((num_workers, grace_seconds))
        self.num_open += 1
        yield self
        self.num_open -= 1

    def wait(self) -> End:
        assert self.num_open == 1
        return self.ends.pop(0)


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Function: ends of jobs to what stands in for `Job`."""

    def set_up(*ends: End) -> FakeJobs:
        fake = FakeJobs(ends)
        monkeypatch.setattr(launch, "Job", fake)
        return fake

    return set_up


def test_every_worker_is_given_the_same_command(jobs: Any) -> None:
    fake = jobs(DONE)
    given = ["--dataset=ring", "--epochs=3", "--run_dir=r"]
    assert launch.main(["launch.py", "--workers=3", "--", *given]) == 0
    assert fake.commands == [
        [sys.executable, "-m", "tfvae.train", *given,
         "--strategy=multi_worker", "--run_dir=r"]
    ]  # fmt: skip
    assert fake.asked == [(3, 30)]


def test_folder_that_is_not_named_is_the_same_for_all(jobs: Any) -> None:
    fake = jobs(LOST, DONE)
    launch.main(["launch.py", "--", "--dataset=npz:a/b.npz"])
    (one,) = {
        flags.parse(flags.Launch, command[2:], summary="").launch.run_dir
        for command in fake.commands
    }
    assert re.fullmatch(r"runs/npz-a-b\.npz-\d{8}-\d{6}", one)


def _overwrites(fake: FakeJobs) -> list[bool]:
    return [
        flags.parse(flags.Launch, command[2:], summary="").launch.overwrite
        for command in fake.commands
    ]


@pytest.mark.parametrize(
    ("begins", "expected"),
    [
        (0, [True, False, False, False]),  # a new one, in the first start
        (2, [True, True, True, False]),  # an old one stood till the third
    ],
)
def test_run_is_overwritten_once(
    jobs: Any,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    begins: int,
    expected: list[bool],
) -> None:
    config = tmp_path / "config.json"
    config.write_text("{}")
    os.utime(config, (1, 1))
    fake = jobs(LOST, LOST, LOST, DONE)
    end = fake.wait

    def wait() -> End:
        if len(fake.commands) - 1 == begins:
            config.write_text("{}")
        return end()

    monkeypatch.setattr(fake, "wait", wait)
    given = [f"--run_dir={tmp_path}", "--overwrite"]
    assert launch.main(["launch.py", "--", *given]) == 0
    assert _overwrites(fake) == expected


@pytest.mark.parametrize("begins", [True, False])
def test_command_to_go_on_with_overwrites_what_still_stands(
    jobs: Any,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    begins: bool,
) -> None:
    config = tmp_path / "config.json"
    config.write_text("{}")
    os.utime(config, (1, 1))
    fake = jobs()

    def wait() -> End:
        if begins:
            config.write_text("{}")
        return End(program.TERMINATED)

    monkeypatch.setattr(fake, "wait", wait)
    launch.main(["launch.py", "--", f"--run_dir={tmp_path}", "--overwrite"])
    assert ("--overwrite" in capsys.readouterr().out) != begins


def test_job_is_started_again_and_goes_on(
    jobs: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    fake = jobs(LOST, LOST, DONE)
    given = ["--run_dir=r", "--overwrite"]
    assert launch.main(["launch.py", "--", *given]) == 0
    assert _overwrites(fake) == [True, False, False]
    assert capsys.readouterr().err.splitlines() == [
        "launch.py: worker 1 was killed (SIGKILL); restart 1 of 3",
        "launch.py: worker 1 was killed (SIGKILL); restart 2 of 3",
    ]


@pytest.mark.parametrize("restarts", [0, 2])
def test_job_is_not_started_again_for_ever(restarts: int, jobs: Any) -> None:
    fake = jobs(*[LOST] * 9)
    with pytest.raises(
        LostWorkerError,
        match=rf"^worker 1 was killed \(SIGKILL\), after {restarts} "
        r"restart\(s\); what was saved is whole, go on with: python -m "
        r"tfvae\.launch --workers=2 -- --run_dir=r$",
    ):
        launch.main(
            ["launch.py", f"--max_restarts={restarts}", "--", "--run_dir=r"]
        )
    assert len(fake.commands) == restarts + 1


@pytest.mark.parametrize("status", [program.FAILED, program.WRONG_INPUT])
def test_job_that_fails_is_not_started_again(
    status: int, jobs: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    fake = jobs(End(status))
    assert launch.main(["launch.py", "--", "--run_dir=r"]) == status
    assert len(fake.commands) == 1
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("status", [program.INTERRUPTED, program.TERMINATED])
def test_job_that_is_stopped_is_gone_on_with(
    status: int,
    jobs: Any,
    capsys: pytest.CaptureFixture[str],
    tmp_path: pathlib.Path,
) -> None:
    (tmp_path / "c.json").write_text('{"latent_dim": 3}')
    fake = jobs(End(status, "some workers had to be killed."), DONE)
    given = [
        "--overwrite", f"--config={tmp_path / 'c.json'}", "--run_dir=a b",
        "--strategy=multi_worker", "--hidden_units=5,4", "--worker_timeout=9",
    ]  # fmt: skip
    own = ["--workers=3", "--max_restarts=1"]
    assert launch.main(["launch.py", *own, "--", *given]) == status
    said = capsys.readouterr()
    assert said.err == "launch.py: some workers had to be killed.\n"
    title, command = said.out.splitlines()
    assert title == "go on with:"
    python, module, name, *again = shlex.split(command)
    assert (python, module, name) == ("python", "-m", "tfvae.launch")
    assert launch.main(["launch.py", *again]) == 0
    assert fake.asked == [(3, 30)] * 2
    first, second = (
        flags.parse(flags.Launch, command[2:], summary="")
        for command in fake.commands
    )
    assert first.given == second.given
    assert first.given == {"latent_dim": 3, "hidden_units": (5, 4)}
    assert first.launch.overwrite
    assert not second.launch.overwrite
    assert second.launch.run_dir == "a b"
    assert second.launch.worker_timeout == 9


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--workers=0"], "`workers` must be a whole number of at least 1"),
        (["--workers=2", "--epochs=3"], "unknown flag `epochs`"),
        (["3"], "unexpected argument '3'"),
        (["--", "--epoch=3"], "unknown flag `epoch`; did you mean `epochs`?"),
        (["--", "--epochs=0"], "`epochs` must be a whole number of at least 1"),
        (["--", "train"], "unexpected argument 'train'"),
        (["--", "--config=nowhere.json"], "`config` nowhere.json"),
        (
            ["--", "--strategy=mirrored"],
            "`strategy` is multi_worker under tfvae.launch; got mirrored; "
            "leave it out.",
        ),
    ],
)
def test_wrong_flags_start_nothing(
    arguments: list[str], line: str, jobs: Any
) -> None:
    fake = jobs()
    with pytest.raises(InputError) as error:
        launch.main(["launch.py", *arguments])
    assert str(error.value).startswith(line)
    assert fake.commands == []


def test_wrong_flag_is_one_line_and_status_2() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "tfvae.launch", "--", "--latent_dim=x"],
        capture_output=True, text=True, timeout=60,
        cwd=pathlib.Path(__file__).parents[1],
    )  # fmt: skip
    assert result.returncode == program.WRONG_INPUT
    assert result.stdout == ""
    assert result.stderr.startswith("launch.py: `latent_dim` must be a whole ")
    assert result.stderr.count("\n") == 1


def test_help_says_who_can_reach_the_workers() -> None:
    with pytest.raises(flags.HelpRequested) as text:
        launch.main(["launch.py", "--help"])
    said = " ".join(str(text.value).split())
    assert "--max_restarts" in said
    assert "listens on a port for each worker, on all of this machine's" in said
    assert "without encryption" in said
    assert "Only for machines in networks that are trusted." in said


def test_help_of_the_workers_flags() -> None:
    with pytest.raises(flags.HelpRequested, match="--latent_dim"):
        launch.main(["launch.py", "--", "--help"])
