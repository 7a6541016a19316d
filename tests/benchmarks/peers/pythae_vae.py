"""pythae: its VAE on our networks, trained by its TrainingPipeline.

Its BaseTrainer reads a DataLoader that takes examples one by one and stacks
them, and waits for each step's loss; a worker process makes it slower, as an
example is only 3 kB. Adam is the fused one.

Times are of its own callbacks, from an epoch's first batch to its last: without
the copy of the best model that it keeps after each epoch.
"""

import contextlib
import os
import sys
import tempfile
import time
from typing import Any

import torch
from pythae.models import VAE, VAEConfig
from pythae.models.base.base_utils import ModelOutput
from pythae.models.nn import BaseDecoder, BaseEncoder
from pythae.pipelines import TrainingPipeline
from pythae.trainers import BaseTrainerConfig
from pythae.trainers.training_callbacks import TrainingCallback

from tests.benchmarks.peers import task as task_lib
from tests.benchmarks.peers import torch_vae
from tests.benchmarks.peers.task import Task


class Encoder(BaseEncoder):
    """From x to the parameters of q(z|x), in pythae's words."""

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: torch.Tensor) -> ModelOutput:
        """Returns the mean and the logarithm of the variance."""
        loc, log_scale = self.network(x).chunk(2, dim=-1)
        return ModelOutput(embedding=loc, log_covariance=2 * log_scale)


class Decoder(BaseDecoder):
    """From z to the mean of p(x|z), in pythae's words."""

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, z: torch.Tensor) -> ModelOutput:
        """Returns the probabilities of ones."""
        return ModelOutput(reconstruction=self.network(z).sigmoid())


class Tell(TrainingCallback):
    """Times the training of an epoch, and tells once it is evaluated."""

    def __init__(self, images: int) -> None:
        self.images = images
        self.epoch = 0
        self.seconds = 0.0

    def on_train_step_begin(self, training_config: Any, **_: Any) -> None:
        """Called before an epoch's first batch."""
        self._started = time.perf_counter()

    def on_eval_step_begin(self, training_config: Any, **_: Any) -> None:
        """Called once all batches of an epoch are trained on."""
        self.seconds = time.perf_counter() - self._started

    def on_log(self, training_config: Any, logs: Any, **_: Any) -> None:
        """Called after each epoch with its mean losses."""
        self.epoch += 1
        with contextlib.redirect_stdout(sys.__stdout__):
            task_lib.tell(
                self.epoch,
                loss=logs["train_epoch_loss"],
                elbo=-logs["eval_epoch_loss"],
                images=self.images,
                seconds=self.seconds,
            )


def main(task: Task, folder: str) -> None:
    """Trains and tells."""
    torch.set_num_threads(task_lib.num_cores())
    shape = (1, task_lib.SIDE, task_lib.SIDE)
    config = VAEConfig(
        input_dim=shape,
        latent_dim=task.latent_dim,
        reconstruction_loss="bce",
    )
    encoder, decoder = torch_vae.networks(task.network, task.latent_dim)
    pipeline = TrainingPipeline(
        model=VAE(config, Encoder(encoder), Decoder(decoder)),
        training_config=BaseTrainerConfig(
            output_dir=folder,
            num_epochs=task.epochs,
            learning_rate=task_lib.LEARNING_RATE,
            optimizer_params={"fused": True},
            per_device_train_batch_size=task_lib.BATCH_SIZE,
            per_device_eval_batch_size=task_lib.EVAL_BATCH_SIZE,
        ),
    )
    train, test = (
        torch.from_numpy(x).permute(0, 3, 1, 2).float() / 255
        for x in (task.train, task.test)
    )
    pipeline(
        train_data=train, eval_data=test, callbacks=[Tell(len(task.train))]
    )


if __name__ == "__main__":
    asked = task_lib.read_task()
    with (
        tempfile.TemporaryDirectory() as scratch,
        open(os.devnull, "w") as nowhere,
        contextlib.redirect_stdout(nowhere),
    ):
        main(asked, scratch)
