"""python -m tfvae.report: the page of a run, and what is refused."""

import json
import pathlib
import shlex
import shutil
import subprocess
import sys

import pytest

from tests.test_page import Outline, assert_stands_alone
from tfvae import evaluate, flags, report, train
from tfvae.config import FIELDS
from tfvae.errors import InputError, MissingRunError
from tfvae.generation.request import Generation
from tfvae.report_figures import measures
from tfvae.run_dir import RunDir

TINY = (
    "--hidden_units=12", "--latent_dim=3", "--epochs=2", "--jit_compile=off",
)  # fmt: skip
SECTIONS = [
    "What was trained", "Training", "Reconstruction", "Generation",
    "Latent space", "Likelihood", "Evaluation", "What is next",
]  # fmt: skip


def trained(path: pathlib.Path, *arguments: str) -> pathlib.Path:
    """Returns the folder of a small run."""
    argv = ["train", f"--run_dir={path}", *TINY, *arguments]
    assert train.main(argv) == 0
    return path


def reported(run_dir: pathlib.Path, *arguments: str) -> Outline:
    """Returns the page that a command writes."""
    argv = ["report", f"--run_dir={run_dir}", *arguments]
    assert report.main(argv) == 0
    outline = Outline((run_dir / "report.html").read_text(encoding="utf-8"))
    assert_stands_alone(outline)
    return outline


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A run that was not evaluated."""
    return trained(tmp_path_factory.mktemp("digits") / "run")


@pytest.fixture(scope="module")
def page(digits: pathlib.Path) -> Outline:
    """Its page, for which it is measured."""
    return reported(digits, "--num_samples=7", "--num_examples=50")


@pytest.fixture
def copy(
    digits: pathlib.Path, page: Outline, tmp_path: pathlib.Path
) -> pathlib.Path:
    """A copy of the run and its evaluation, to change."""
    return pathlib.Path(shutil.copytree(digits, tmp_path / "a run"))


def test_page_has_all_sections_and_figures(page: Outline) -> None:
    assert page.text_of("h1") == ["digits: variational autoencoder"]
    assert page.text_of("h2") == SECTIONS
    assert len(page.all("img")) == 11
    assert not [text for _, text in page.texts if "Left out" in text]
    assert not [text for _, text in page.texts if "nan" in text.split()]


def test_what_was_not_measured_is_measured(
    digits: pathlib.Path, page: Outline
) -> None:
    measured = json.loads((digits / "evaluation.json").read_text())
    assert (measured["num_samples"], measured["num_examples"]) == (7, 50)
    captions = page.text_of("caption")
    assert (
        "Means over 50 examples of the test set, the best weights; nll by 7 "
        "draws of each"
    ) in captions
    cells = page.text_of("td")
    nll, stderr = measured["nll"], measured["nll_stderr"]
    assert f"{nll:.5g} ± {stderr:.2g}" in cells
    assert f"{measured['elbo']:.5g}" in cells
    assert f"{measured['regularity']['recall']:.5g}" in cells
    cards = page.text_of("dd")
    assert f"{nll:.4g}" in cards
    assert f"{measured['active_units']} of 3" in cards


def test_every_number_has_a_meaning(
    digits: pathlib.Path, page: Outline
) -> None:
    measured = json.loads((digits / "evaluation.json").read_text())
    assert len(measured) > 15
    known = {*measures.MEANINGS, *measures.ELSEWHERE}
    numbers = {k for k, v in measured.items() if isinstance(v, int | float)}
    numbers |= {f"regularity.{name}" for name in measured["regularity"]}
    assert numbers <= known
    shown = set(page.text_of("th"))
    assert numbers - set(measures.ELSEWHERE) <= shown


def test_what_was_measured_is_kept(copy: pathlib.Path, page: Outline) -> None:
    path = copy / "evaluation.json"
    measured = json.loads(path.read_text())
    measured |= {"nll": 123.456, "num_samples": 5000, "strange": 0.125}
    path.write_text(json.dumps(measured))
    outline = reported(copy, "--seed=5")
    assert json.loads(path.read_text()) == measured
    assert f"123.46 ± {measured['nll_stderr']:.2g}" in outline.text_of("td")
    assert "0.125" in outline.text_of("td")  # a number that we do not know
    assert [text for text in outline.text_of("dd") if "5,000 draws" in text]
    # Another seed shows other examples.
    assert page.all("img")[2] != outline.all("img")[2]


def test_settings_are_all_there(page: Outline) -> None:
    assert page.text_of("summary") == ["All settings"]
    codes = page.text_of("code")
    # Those that differ stand in both tables.
    assert all(f"--{name}" in codes for name in FIELDS)
    for name in ("latent_dim", "epochs", "hidden_units", "architecture"):
        assert codes.count(f"--{name}") == 2
    for name in ("dataset", "batch_size", "seed"):
        assert codes.count(f"--{name}") == 1
    first = codes.index("--architecture")  # "auto", decided by the data
    assert codes.index("--latent_dim") < first
    assert codes.index("--epochs") < first


def test_run_is_described(digits: pathlib.Path, page: Outline) -> None:
    cells = page.text_of("td")
    result = json.loads((digits / "result.json").read_text())
    assert (
        "digits: 8x8x1, from 0 to 1, 10 classes; 1,439 train, 179 validation, "
        "179 test"
    ) in cells
    assert [c for c in cells if f"{result['num_parameters']:,} param" in c]
    assert f"best; the best epoch is {result['best_epoch']}" in cells
    versions = result["versions"]
    assert [c for c in cells if f"tensorflow {versions['tensorflow']}," in c]


def commands(outline: Outline) -> list[list[str]]:
    """Returns the words of each command that the page names."""
    (text,) = [t for t in outline.text_of("code") if "tensorboard --" in t]
    return [
        shlex.split(line)
        for line in text.splitlines()
        if line and not line.startswith("#")
    ]


def test_next_commands_are_accepted(
    digits: pathlib.Path, page: Outline
) -> None:
    board, measure, generate, again = commands(page)
    assert board == ["tensorboard", f"--logdir={digits}/tensorboard"]
    asked = flags.parse_as(evaluate.Evaluation, measure[2:], summary="")
    assert (asked.run_dir, asked.baselines) == (str(digits), True)
    wanted = flags.parse_as(
        Generation, generate[2:], summary="", positional="mode"
    )
    assert (wanted.mode, wanted.out) == ("sample", "sample.png")
    assert wanted.run_dir == str(digits)
    line = flags.parse(flags.Launch, again[2:], summary="")
    assert line.given["seed"] == 1
    assert line.given["latent_dim"] == 3
    assert line.launch.run_dir == f"{digits}-seed-1"


def test_equal_commands_give_equal_pages(
    digits: pathlib.Path, page: Outline
) -> None:
    before = (digits / "report.html").read_bytes()
    reported(digits)
    assert (digits / "report.html").read_bytes() == before
    assert not [path for path in digits.iterdir() if "partial" in path.name]


def test_run_that_is_not_complete_has_a_page(copy: pathlib.Path) -> None:
    (copy / "result.json").unlink()
    outline = reported(copy, "--weights=last")
    assert "last; the run is not complete" in outline.text_of("td")
    again = commands(outline)[-1]
    assert again[2:] == ["tfvae.train", f"--run_dir={copy}"]


def test_page_belongs_to_the_run(copy: pathlib.Path) -> None:
    assert (copy / "report.html").exists()
    run_dir = RunDir(str(copy))
    run_dir.clear()
    assert list(copy.iterdir()) == []
    run_dir.prepare()


@pytest.mark.slow
def test_autoencoder_of_vectors_without_labels_has_a_page(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_dir = trained(
        tmp_path / "ring", "--dataset=ring", "--model=ae", "--epochs=1",
        "--batch_size=2000",
    )  # fmt: skip
    capsys.readouterr()
    outline = reported(run_dir, "--num_examples=40")
    out = capsys.readouterr().out
    assert out.startswith("no evaluation.json yet; measuring\n")
    assert out.endswith(f"report: {run_dir}/report.html\n")
    assert outline.text_of("h1") == ["ring: autoencoder"]
    assert outline.text_of("h2") == SECTIONS
    paragraphs = outline.text_of("p")
    assert (
        "Left out, as an autoencoder has no prior: KL of each latent."
    ) in paragraphs
    assert (
        "Left out, as the data are no images: sampled images, interpolated "
        "images."
    ) in paragraphs
    assert commands(outline)[2][3:] == [
        "reconstruct", f"--run_dir={run_dir}", "--out=reconstruct.npz",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        ([], MissingRunError, "`run_dir` must name the folder of a trained"),
        (["--run_dir=nowhere"], MissingRunError, "nowhere holds no run"),
        (["--run_dir=x", "--weights=first"], InputError, "`weights` must be"),
        (["--run_dir=x", "--num_samples=0"], InputError, "`num_samples` must"),
        (["--run_dri=x"], InputError, "did you mean `run_dir`?"),
        (["x"], InputError, "unexpected argument 'x'"),
    ],
)
def test_wrong_input_is_refused(
    arguments: list[str], kind: type, message: str, tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    with pytest.raises(kind) as refused:
        report.main(["report", *arguments])
    assert message in str(refused.value)
    assert not list(tmp_path.iterdir())


def test_help_answers_without_tensorflow() -> None:
    code = (
        "import sys; from tfvae import flags, report\n"
        "try: report.main(['r', '--help'])\n"
        "except flags.HelpRequested as text: print(text)\n"
        "assert 'tensorflow' not in sys.modules and 'numpy' not in sys.modules"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    for name in ("run_dir", "num_samples", "weights", "seed"):
        assert f"  --{name}\n" in result.stdout
