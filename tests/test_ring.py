"""Doersch's ring, by README's command: the prior decodes to what is typical."""

import pathlib
import re
import shlex

import numpy as np
import pytest
from scipy import stats

import tfvae
from tfvae import train

README = pathlib.Path(__file__).parents[1] / "README.md"
COMMAND = re.compile(r"python -m tfvae\.train (--dataset=ring .*)")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Returns the run folder that README's command makes."""
    folder = tmp_path_factory.mktemp("ring") / "run"
    flags = COMMAND.search(README.read_text())[1]  # type: ignore[index]
    argv = ["train", *shlex.split(flags), f"--run_dir={folder}"]
    assert train.main(argv) == 0
    return folder


def prior_samples(run: pathlib.Path) -> np.ndarray:
    return tfvae.load_run(str(run)).model.sample(5000, seed=1).numpy()


def test_prior_samples_lie_on_the_ring(run: pathlib.Path) -> None:
    # The data's radius is 1 + |z| / 10, z ~ N(0, I) in the plane.
    radius = np.linalg.norm(prior_samples(run), axis=1)
    assert np.mean((radius > 0.95) & (radius < 1.4)) >= 0.9


def test_angles_of_prior_samples_are_uniform(run: pathlib.Path) -> None:
    x = prior_samples(run)
    angles = np.arctan2(x[:, 1], x[:, 0])
    uniform = stats.uniform(-np.pi, 2 * np.pi)
    assert stats.kstest(angles, uniform.cdf).statistic < 0.05
