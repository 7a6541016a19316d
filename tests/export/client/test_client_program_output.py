"""python -m export.client: what it prints, exit codes, and what it loads."""

import io
import pathlib
import subprocess
import sys

import pytest

from export.client import progress
from tests.export.client import toy_server
from tests.export.client.program_runs import run
from tests.export.client.toy_models import Toy
from tfvae.errors import FailedError

ROOT = pathlib.Path(__file__).parents[3]


def test_status_is_a_table(
    served: str, toy: Toy, capsys: pytest.CaptureFixture[str]
) -> None:
    toy.states = [(10, "END", 9, "a bad\n record"), (2, "AVAILABLE", 0, "")]
    assert run(served, "status", "--model=decoder") == 0
    assert capsys.readouterr().out == (
        "model    version  state      reason\n"
        "decoder  10       END        a bad record\n"
        "decoder  2        AVAILABLE\n"
    )
    assert run(served, "status") == 0
    assert "\nvae      2        AVAILABLE\n" in capsys.readouterr().out
    del toy.models["vae"]
    assert run(served, "status") == 0
    assert "vae" not in capsys.readouterr().out
    del toy.models["decoder"]
    with pytest.raises(FailedError, match="NOT_FOUND: no vae"):
        run(served, "status")


def test_lines_tell_how_far_it_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [(1000, "a"), (500, "b"), (700, "c")]
    monkeypatch.setattr(progress, "SECONDS_A_LINE", 0)
    assert list(progress.shown(answers, total=2200, what="decode")) == [*"abc"]
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "decode: 1,000 of 2,200 rows", "decode: 1,500 of 2,200 rows",
    ]  # fmt: skip
    assert err == ""
    monkeypatch.setattr(progress, "SECONDS_A_LINE", 5)
    assert list(progress.shown(answers, total=2200, what="decode")) == [*"abc"]
    assert capsys.readouterr().out == ""


def test_a_terminal_shows_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    list(progress.shown([(3, "a"), (4, "b")], total=7, what="decode"))
    assert "decode: 100%" in terminal.getvalue()
    assert "7/7" in terminal.getvalue()


@pytest.mark.slow
def test_the_program_from_a_shell(toy: Toy, tmp_path: pathlib.Path) -> None:
    def shell(*argv: str) -> tuple[int, str, str]:
        ended = subprocess.run(
            [sys.executable, "-m", "export.client", *argv],
            cwd=ROOT, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        return ended.returncode, ended.stdout, ended.stderr

    code, out, err = shell("--help")
    assert (code, err) == (0, "")
    assert out.startswith("Asks a model server")
    path = tmp_path / "a.npz"
    with toy_server.rest(toy) as url:
        asked = ["sample", f"--url={url}", f"--out={path}"]
        assert shell(*asked) == (0, f"written: {path}\n", "")
        toy.refusals = [(400, None, "one\ntwo")] * 9  # type: ignore[list-item]
        failed = shell(*asked)
    assert failed == (1, "", "export.client: INVALID_ARGUMENT: one two\n")
    code, out, err = shell("sample", "--out=a.npz")
    assert (code, out) == (2, "")
    assert err.startswith("export.client: `url` must name the server; ")
    assert err.count("\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "loaded"),
    [
        ("import export.client.__main__", "httpx grpc numpy tensorflow"),
        ("import export.client.request", "httpx grpc numpy tensorflow"),
        ("import export.client.synchronous", "tensorflow matplotlib"),
    ],
)
def test_nothing_heavy_is_loaded(code: str, loaded: str) -> None:
    check = f"{code}, sys; print(*({loaded.split()} & sys.modules.keys()))"
    check = check.replace("['", "{'").replace("']", "'}")
    ended = subprocess.run(
        [sys.executable, "-c", check],
        cwd=ROOT, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert ended.stdout.strip() == ""
