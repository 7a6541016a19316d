"""How far a run has come, in words and as a bar."""

import pathlib
from typing import Any

import pytest
import tensorflow as tf

from tfvae import build, resolve
from tfvae import progress as progress_lib
from tfvae.config import Config
from tfvae.data.spec import DataSpec
from tfvae.recorder import Recorder
from tfvae.run_dir import RunDir
from tfvae.vae import VAE

SPEC = DataSpec((6,), None, "real")
STEPS = 3  # batches of 4, 4 and 3


def _model() -> VAE:
    config = Config(
        hidden_units=(5,), latent_dim=2, epochs=4,
        learning_rate_schedule="constant", learning_rate=0.01,
    )  # fmt: skip
    config = resolve.resolve(config, SPEC, num_examples=11, num_replicas=1)
    return build.build_model(config, SPEC)


def _recorder(path: pathlib.Path, model: VAE | None = None) -> Any:
    recorder = Recorder(
        model or _model(),
        RunDir(str(path)),
        num_examples=11,
        steps_per_epoch=STEPS,
    )
    recorder.set_model(model)
    return recorder


def test_plain_line_an_epoch_without_a_terminal(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recorder = _recorder(tmp_path, _model())
    logs = {"loss": 1.234, "elbo": -1.234, "kl": 0.5, "val_elbo": -2.0,
            "seconds": 2.0, "images_per_second": 1234.5}  # fmt: skip
    with progress_lib.Progress(recorder, num_epochs=34) as progress:
        progress.on_train_batch_end(0, logs)
        progress.on_epoch_end(2, logs)
    assert capsys.readouterr() == (
        "epoch 3/34  loss 1.23  elbo -1.23  kl 0.50  val_elbo -2.00  "
        "1,234 images/s  01:02 left\n",
        "",
    )


def test_bar_on_a_terminal_counts_images(
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    model = _model()
    recorder = _recorder(tmp_path, model)
    recorder.first_step = 4
    monkeypatch.setattr(
        progress_lib.sys.stderr, "isatty", lambda: True, raising=False
    )
    logs = {"seconds": 2.0, "images_per_second": 5.0}
    with progress_lib.Progress(recorder, num_epochs=4) as progress:
        progress.set_model(model)
        assert progress.bar is not None
        progress.bar.mininterval = 0  # seconds between two drawings
        model.update_means(
            {"loss": tf.constant([0.5, 1.0, 1.5]), "kl": tf.constant([0.25])},
            None,
        )
        assert (progress.bar.n, progress.bar.total) == (15, 44)  # 4/3 epochs
        model.train_step_count.assign(6)
        progress.on_train_batch_end(0)
        progress.on_epoch_end(1, logs)
        assert progress.bar.n == 22
        model.train_step_count.assign(12)
        progress.on_train_batch_end(0)
        assert progress.bar.n == 44
    out, err = capsys.readouterr()
    assert out == ""
    assert "epoch 4/4" in err
    assert "loss=1.00" in err
    assert "kl=0.25" in err
