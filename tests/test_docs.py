"""What README and BUILD_NOTES say is true; run as a program, it writes the
settings table into README.
"""

import configparser
import pathlib
import re
from typing import Any

import pytest

from export import saved_model
from export.client.request import Request
from export.rollout import Rollout
from export.saved_model import Export
from export.serve import Serving
from tests import small_runs
from tests.export.server_process import ServerProcess
from tfvae import config, flags
from tfvae.evaluate import Evaluation
from tfvae.generation.request import MODES, Generation
from tfvae.report import Report
from tuning.request import Search

ROOT = pathlib.Path(__file__).parents[1]
README = ROOT / "README.md"
TABLE = re.compile(
    r"(<!-- settings: .* -->\n).*(<!-- end of settings -->)", re.S
)


def blocks(language: str) -> list[str]:
    """Returns README's code blocks in a language."""
    return re.findall(rf"```{language}\n(.*?)```", README.read_text(), re.S)


def with_table(text: str) -> str:
    """Returns README's text with the settings table made anew."""
    tables = [
        flags.markdown_table(flags.LAUNCH_FIELDS),
        flags.markdown_table(config.FIELDS),
        flags.markdown_table(flags.fields_of(Evaluation)),
        flags.markdown_table(flags.fields_of(Generation)),
        flags.markdown_table(flags.fields_of(Report)),
        flags.markdown_table(flags.fields_of(Search)),
        flags.markdown_table(flags.fields_of(Export)),
        flags.markdown_table(flags.fields_of(Rollout)),
        flags.markdown_table(flags.fields_of(Request)),
    ]
    body = "\n\n".join(
        [
            "How a run is launched:",
            tables[0],
            "What a run is (saved in its config.json):",
            tables[1],
            "How a run is measured (`python -m tfvae.evaluate`):",
            tables[2],
            "What a run makes (`python -m tfvae.generate MODE`):",
            tables[3],
            "How a run is reported (`python -m tfvae.report`):",
            tables[4],
            "How one searches (`python -m tuning.search`, beside train's):",
            tables[5],
            "What is published (`python -m export.saved_model`):",
            tables[6],
            "How a version comes to be served (`python -m export.rollout`):",
            tables[7],
            "What is asked of a server (`python -m export.client`):",
            tables[8],
        ]
    )
    return TABLE.sub(lambda match: f"{match[1]}\n{body}\n\n{match[2]}", text)


def test_readme_lists_every_setting_as_it_is() -> None:
    text = README.read_text()
    assert TABLE.search(text)
    assert with_table(text) == text, "run python -m tests.test_docs"


def test_commands_in_readme_are_accepted() -> None:
    commands = re.findall(
        r"python -m (tfvae\.train(?: --\S+)*)", "\n".join(blocks("bash"))
    )
    assert len(commands) >= 6
    for command in commands:
        command = re.sub(r" --config=\S+", "", command)  # no file is there
        given = flags.parse(flags.Launch, command.split(), summary="").given
        config.Config(**given)


def test_searches_in_readme_are_accepted() -> None:
    commands = re.findall(
        r"python -m (tuning\.search(?: --\S+)*)", README.read_text()
    )
    assert len(commands) >= 3
    for command in commands:
        line = flags.parse(Search, command.split("`")[0].split(), summary="")
        config.Config(**line.given)


def test_evaluations_in_readme_are_accepted() -> None:
    commands = re.findall(
        r"python -m (tfvae\.evaluate(?: --\S+)*)", README.read_text()
    )
    assert len(commands) >= 2
    for command in commands:
        flags.parse_as(Evaluation, command.split("`")[0].split(), summary="")


def test_pictures_in_readme_are_accepted() -> None:
    commands = re.findall(
        r"python -m (tfvae\.generate [a-z]+(?: --\S+)*)", README.read_text()
    )
    assert len(commands) >= 7
    modes = set()
    for command in commands:
        asked = flags.parse_as(
            Generation,
            command.split("`")[0].split(),
            summary="",
            positional="mode",
        )
        modes.add(asked.mode)
    assert modes == set(MODES)


SERVING: dict[str, tuple[type, str]] = {
    "saved_model": (Export, ""),
    "serve": (Serving, ""),
    "rollout": (Rollout, "action"),
    "client": (Request, "mode"),
}


@pytest.mark.parametrize("program", SERVING)
def test_commands_of_serving_in_readme_are_accepted(program: str) -> None:
    kind, positional = SERVING[program]
    word = r" [a-z]+" if positional else ""
    commands = re.findall(
        rf"python -m (export\.{program}{word}(?: --\S+)+)",
        "\n".join(blocks("bash")),
    )
    assert len(commands) >= 2
    for command in commands:
        flags.parse_as(kind, command.split(), summary="", positional=positional)


@pytest.mark.slow
def test_serving_examples_of_readme_run(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = small_runs.save_run(tmp_path / "run")
    arguments = [f"--run_dir={run.run_dir}", f"--export_dir={tmp_path / 'E'}"]
    saved_model.main(["saved_model", *arguments])
    with ServerProcess(f"--export_dir={tmp_path / 'E'}") as server:
        server.ready()
        over_rest, over_grpc = (
            example.replace("http://127.0.0.1:8501", server.url).replace(
                "127.0.0.1:8500", server.grpc_address
            )
            for example in blocks("python")[2:4]
        )
        names: dict[str, Any] = {}
        exec(compile(over_rest, "README.md", "exec"), names)
        assert names["x"].shape == (3, 8, 8, 1)
        assert names["png"].startswith(b"\x89PNG")
        assert names["code"].shape == names["drawn"]["z"].shape == (3, 4)
        assert (
            "NOT_FOUND Servable not found for request: Specific("
            in capsys.readouterr().out
        )
        z = names["drawn"]["z"]
        exec(compile(over_grpc, "README.md", "exec"), names)
        assert names["z"].tobytes() == z.tobytes()


def test_gallery_is_small_and_there() -> None:
    names = re.findall(r"!\[.*?\]\((.*?)\)", README.read_text())
    assert 1 <= len(names) <= 5
    for name in names:
        content = (ROOT / name).read_bytes()
        assert content.startswith(b"\x89PNG")
        assert len(content) < 150_000


def test_ci_runs_the_test_command_of_readme() -> None:
    install, _, run = blocks("bash")[1].strip().rpartition(" && ")
    script = (ROOT / ".ci" / "run").read_text().splitlines()
    assert run in script
    assert any("'.[test]'" in line for line in script)
    assert install.endswith("pip install -e '.[test]'")


def test_library_example_of_readme_runs() -> None:
    example = blocks("python")[4]
    names: dict[str, Any] = {}
    exec(compile(example, "README.md", "exec"), names)
    assert names["images"].shape == (16, 8, 8, 1)
    assert names["digits"].shape == (10, 8, 8, 1)
    assert names["made"].x.shape[0] == 5
    assert names["estimate"].log_prob.shape == (297,)


@pytest.mark.slow
def test_search_example_of_readme_runs(
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    example = blocks("python")[0]
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(compile(example, "README.md", "exec"), names)
    told = capsys.readouterr().out
    assert "Search space summary" in told
    assert "Results summary" in told
    drawn = names["best"].get("latent_dim")
    assert names["config"].latent_dim == drawn
    assert names["model"].latent_dim == drawn
    trials = tmp_path / "searches" / "ring" / "search"
    assert len(list(trials.glob("trial_*/run/config.json"))) == 2


def test_picture_example_of_readme_runs(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    example = blocks("python")[1]
    small_runs.save_run(tmp_path / "runs" / "label", condition="label")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(compile(example, "README.md", "exec"), names)
    assert names["x"].shape == (3, 8, 8, 1)
    assert names["png"].startswith(b"\x89PNG")


def test_build_notes_give_a_reason_for_every_dependency() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    notes = (ROOT / "BUILD_NOTES.md").read_text()
    listed = setup["options"]["install_requires"].split()
    names = [re.split(r"[<>=]", line)[0] for line in listed]
    assert len(names) > 8
    assert [name for name in names if f"| `{name}` |" not in notes] == []


if __name__ == "__main__":
    README.write_text(with_table(README.read_text()))
