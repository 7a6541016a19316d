"""python -m tfvae.evaluate: every key, its meaning, and what is refused."""

import json
import math
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from tfvae import evaluate, train
from tfvae.data.load import load_data
from tfvae.errors import InputError
from tfvae.run_dir import load_run

# CONTRACT's keys.
KEYS = {
    "nll", "nll_stderr", "num_samples", "num_examples", "elbo", "rate",
    "distortion_nats", "bits_per_dim", "mse", "active_units", "kl_per_dim",
    "mutual_information", "regularity",
}  # fmt: skip
TINY = (
    "--hidden_units=12", "--latent_dim=3", "--epochs=2", "--jit_compile=off",
)  # fmt: skip


def trained(path: pathlib.Path, *arguments: str) -> str:
    """Returns the folder of a small run."""
    argv = ["train", f"--run_dir={path}", *TINY, *arguments]
    assert train.main(argv) == 0
    return str(path)


def measured(run_dir: str, *arguments: str) -> dict:
    """Returns what evaluation.json holds after an evaluation."""
    argv = ["evaluate", f"--run_dir={run_dir}", *arguments]
    assert evaluate.main(argv) == 0
    text = pathlib.Path(run_dir, "evaluation.json").read_text()
    return json.loads(text)


def numbers(value: object) -> list[float]:
    """Returns every number in a JSON value."""
    if isinstance(value, dict):
        return [n for v in value.values() for n in numbers(v)]
    if isinstance(value, list):
        return [n for v in value for n in numbers(v)]
    return [value] if isinstance(value, int | float) else []


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> str:
    return trained(tmp_path_factory.mktemp("digits") / "run")


@pytest.fixture(scope="module")
def figures(digits: str) -> dict:
    return measured(digits, "--num_samples=60")


def test_every_key_of_the_contract_is_there_and_finite(figures: dict) -> None:
    assert set(figures) >= KEYS
    assert set(figures["regularity"]) >= {"continuity", "completeness"}
    assert len(figures["kl_per_dim"]) == 3
    assert all(math.isfinite(number) for number in numbers(figures))


def test_figures_agree_with_each_other(figures: dict) -> None:
    assert figures["num_samples"] == 60
    assert figures["num_examples"] == 179
    assert figures["elbo"] == pytest.approx(
        -figures["distortion_nats"] - figures["rate"]
    )
    assert sum(figures["kl_per_dim"]) == pytest.approx(
        figures["rate"], rel=1e-4
    )
    curve = figures["nll_curve"]
    assert list(curve) == ["1", "5", "10", "50", "60"]
    values = [curve[k] for k in ("1", "5", "10", "50")]
    assert values == sorted(values, reverse=True)
    assert curve["60"] == pytest.approx(figures["nll"])
    assert figures["nll"] < -figures["elbo"]
    # digits: 0 to 16, divided by 16
    bits = figures["nll"] / (64 * math.log(2)) + 4
    assert figures["bits_per_dim"] == pytest.approx(bits)
    assert figures["mutual_information"] <= math.log(179)


def test_mse_and_elbo_are_those_that_training_measured(
    digits: str, figures: dict
) -> None:
    result = json.loads(pathlib.Path(digits, "result.json").read_text())["test"]
    assert figures["mse"] == pytest.approx(result["mse"], rel=1e-5)
    assert figures["rate"] == pytest.approx(result["kl"], rel=1e-5)
    # One draw an example there, 60 here.
    assert figures["elbo"] == pytest.approx(result["elbo"], abs=0.5)


def test_stderr_is_of_the_mean_over_examples(digits: str) -> None:
    figures = measured(digits, "--num_samples=20", "--num_examples=7")
    run = load_run(digits)
    assert figures["num_examples"] == 7
    assert 0 < figures["nll_draws_stderr"] < figures["nll_stderr"]
    assert figures["nll_stderr"] < 10
    assert run.config.latent_dim == 3


@pytest.mark.slow
def test_figures_repeat_and_the_seed_changes_them(digits: str) -> None:
    arguments = ("--num_samples=7", "--num_examples=20")
    one, again = (measured(digits, *arguments) for _ in range(2))
    other = measured(digits, *arguments, "--seed=1")
    assert one == again
    assert one["nll"] != other["nll"]


def test_table_is_printed_with_the_file_and_advice(
    digits: str, capsys: pytest.CaptureFixture
) -> None:
    measured(digits, "--num_samples=5", "--num_examples=9")
    out = capsys.readouterr().out
    for name in ("nll ", "elbo ", "bits_per_dim ", "regularity.continuity "):
        assert f"\n{name}" in f"\n{out}"
    assert f"written: {digits}/evaluation.json" in out
    assert "nan" not in out


def test_collapsed_latents_are_named_with_advice() -> None:
    advice = evaluate.advice(4, active_units=1)
    assert advice.startswith("warning: 3 of 4 latent dimensions have collapsed")
    assert "--latent_dim=1" in advice
    assert evaluate.advice(4, active_units=4) == ""


def test_convergence_is_drawn(digits: str, figures: dict) -> None:
    picture = pathlib.Path(digits, "figures", "nll_convergence.png")
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert set(figures["naive_curve"]) == set(figures["nll_curve"])


@pytest.mark.slow
def test_exact_nll_stands_beside_the_estimate(tmp_path: pathlib.Path) -> None:
    run_dir = trained(
        tmp_path / "run", "--dataset=linear_gaussian", "--hidden_units=none"
    )
    figures = measured(run_dir, "--num_samples=50")
    assert (
        figures["nll"]
        > figures["exact_model_nll"] - 5 * (figures["nll_draws_stderr"])
    )
    # The data's own density is the best there is, but for chance.
    assert figures["exact_model_nll"] > figures["exact_nll"] - 0.1
    assert figures["bits_per_dim"] == pytest.approx(
        figures["nll"] / (8 * math.log(2))
    )


def test_autoencoder_has_no_likelihood(tmp_path: pathlib.Path) -> None:
    figures = measured(trained(tmp_path / "run", "--model=ae"))
    assert set(figures) == {
        "mse", "num_examples", "active_units", "regularity", "split", "seed",
        "weights", "pixels", "condition",
    }  # fmt: skip
    assert all(math.isfinite(number) for number in numbers(figures))


@pytest.mark.slow
def test_baselines_stand_beside_the_run(tmp_path: pathlib.Path) -> None:
    run_dir = trained(tmp_path / "run", "--objective=iwae", "--prior=mixture")
    figures = measured(run_dir, "--num_samples=5", "--baselines")
    splits = load_data(load_run(run_dir).config)
    x, test = (
        np.reshape(split.x / 16.0, [split.num_examples, 64])
        for split in (splits.train, splits.test)
    )
    vectors = np.linalg.svd(x - x.mean(axis=0))[2][:3]
    left = (test - x.mean(axis=0)) @ (np.eye(64) - vectors.T @ vectors)
    assert figures["pca_mse"] == pytest.approx(np.mean(left**2), rel=1e-4)
    assert 0 < figures["ae_mse"] < 0.08
    assert set(figures["ae_regularity"]) == set(figures["regularity"])
    assert figures["kl_per_dim"] is None
    assert figures["rate_method"] == "5 draws"


@pytest.mark.slow
def test_factors_are_scored_where_they_are_known(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tfvae.metrics import factored

    monkeypatch.setattr(factored.scores, "__kwdefaults__", {"num_codes": 120})
    run_dir = trained(
        tmp_path / "run", "--dataset=sprites", "--epochs=1",
        "--architecture=mlp", "--batch_size=2000",
    )  # fmt: skip
    figures = measured(run_dir, "--num_samples=1", "--num_examples=9")
    scores = figures["disentanglement"]
    assert set(scores) == {
        "mig", "sap", "dci_disentanglement", "dci_completeness",
        "dci_informativeness", "factor_vae",
    }  # fmt: skip
    assert all(0 <= score <= 1 for score in scores.values())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "`run_dir` must name the folder of a trained run"),
        (["--run_dir=nowhere"], "`run_dir` nowhere holds no run"),
        (["--run_dir=x", "--num_samples=0"], "`num_samples` must be a whole"),
        (
            ["--run_dir=x", "--split=tset"],
            "`split` must be test, validation or",
        ),
        (["--run_dri=x"], "unknown flag `run_dri`; did you mean `run_dir`?"),
        (["x"], "unexpected argument 'x'"),
    ],
)
def test_wrong_input_is_refused(
    arguments: list[str], message: str, tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as refused:
        evaluate.main(["evaluate", *arguments])
    assert message in str(refused.value)
    assert not list(tmp_path.iterdir())


def test_examples_that_do_not_fit_are_refused(
    digits: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tfvae import examples

    monkeypatch.setattr(examples, "MOST_NUMBERS", 64 * 100)
    with pytest.raises(InputError, match="give --num_examples=100"):
        evaluate.main(["evaluate", f"--run_dir={digits}"])


def test_help_answers_without_tensorflow() -> None:
    code = (
        "import sys; from tfvae import evaluate, flags\n"
        "try: evaluate.main(['e', '--help'])\n"
        "except flags.HelpRequested as text: print(text)\n"
        "assert 'tensorflow' not in sys.modules and 'numpy' not in sys.modules"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    for name in ("num_samples", "baselines", "split"):
        assert f"  --{name}\n" in result.stdout


@pytest.mark.slow
def test_run_on_labels_is_measured(tmp_path: pathlib.Path) -> None:
    run_dir = trained(tmp_path / "run", "--condition=label")
    figures = measured(run_dir, "--num_samples=5")
    assert all(math.isfinite(number) for number in numbers(figures))
    assert figures["condition"] == "label"
    assert "naive_curve" not in figures
    assert figures["elbo"] == pytest.approx(
        -figures["rate"] - figures["distortion_nats"], rel=1e-5
    )


@pytest.mark.slow
def test_figures_of_a_mask_are_of_hidden_pixels(tmp_path: pathlib.Path) -> None:
    run_dir = trained(tmp_path / "run", "--condition=mask")
    figures = measured(run_dir, "--num_samples=5", "--mask=left", "--baselines")
    assert all(math.isfinite(number) for number in numbers(figures))
    assert figures["mask"] == "left"
    assert figures["hidden_share"] == 0.5
    assert figures["hidden_mse"] == pytest.approx(2 * figures["mse"], rel=1e-5)
    # Half of 64 dimensions; digits have 17 levels, 16 steps of 1 / 16.
    expected = figures["nll"] / (32 * math.log(2)) + 4
    assert figures["bits_per_dim"] == pytest.approx(expected, rel=1e-5)
    splits = load_data(load_run(run_dir).config)
    mean = splits.train.x.mean(axis=0) / 16
    error = np.square(splits.test.x / 16 - mean)[:, :, 4:].mean()
    assert figures["pca_hidden_mse"] < error  # than the mean image's


def test_mask_of_a_run_without_masks_is_refused(digits: str) -> None:
    with pytest.raises(InputError, match=r"`mask` is for runs .*=mask; this"):
        evaluate.main(["evaluate", f"--run_dir={digits}", "--mask=left"])


def test_a_handful_of_examples_have_no_regularity(digits: str) -> None:
    figures = measured(digits, "--num_samples=5", "--num_examples=3")
    assert set(figures["regularity"].values()) == {None}
    assert math.isfinite(figures["nll"])
