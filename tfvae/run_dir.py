"""One run on disk: config, weights, metrics, checkpoints, figures.

Every file appears by rename, so none is ever seen half-written. The layout is
the one in README.
"""

import dataclasses
import json
import os
import shutil
from typing import Any

import numpy as np
import tensorflow as tf

from tfvae import build, config_file, resolve
from tfvae.config import Config
from tfvae.data.spec import DataSpec
from tfvae.errors import InputError, MissingRunError
from tfvae.folder import Folder
from tfvae.learner import Learner

Row = dict[str, float]
PARTS = ("weights", "checkpoints", "figures", "tensorboard", "baselines")
FILES = (
    "config.json", "data.json", "metrics.jsonl", "result.json",
    "evaluation.json", "report.html", "profile.json",
)  # fmt: skip
CHECKPOINTS_KEPT = 2


class RunDir(Folder):
    """Reads and writes the files of one run.

    Args:
      path: of the folder.
    """

    def holds_run(self) -> bool:
        """Whether a run has begun here."""
        return os.path.exists(self.file("config.json"))

    def is_complete(self) -> bool:
        """Whether the run has ended."""
        return os.path.exists(self.file("result.json"))

    def prepare(self) -> None:
        """Makes the folder, and makes sure that it can be written to.

        Raises:
          InputError: the folder cannot be written, or holds other things.
        """
        try:
            os.makedirs(self.path, exist_ok=True)
            entries = set(os.listdir(self.path)) - {*PARTS, *FILES}
            if not self.holds_run() and any(
                not entry.startswith(".") for entry in entries
            ):
                raise InputError(
                    f"`run_dir` {self.path} holds files that are no run "
                    f"({sorted(entries)[0]}); give an empty or new folder."
                )
            self.write(".writable", lambda file: file.write(b""))
            os.remove(self.file(".writable"))
        except OSError as error:
            raise InputError(
                f"`run_dir` {self.path} cannot be written: {error.strerror}; "
                "give another."
            ) from error

    def clear(self) -> None:
        """Removes the run, and nothing else, from the folder."""
        # What a kill leaves must never pass for the next run's: the record of
        # checkpoints goes first, config.json, which says whose they are, last.
        latest = os.path.join("checkpoints", "checkpoint")
        for name in ("result.json", latest, *PARTS, *reversed(FILES)):
            path = self.file(name)
            if os.path.isdir(path):
                shutil.rmtree(path)
            elif os.path.exists(path):
                os.remove(path)

    def read_json(self, name: str) -> Any:
        """Returns what a JSON file of the run holds.

        Raises:
          MissingRunError: there is no such file.
        """
        try:
            with open(self.file(name), encoding="utf-8") as file:
                return json.load(file)
        except FileNotFoundError as error:
            raise MissingRunError(
                f"`run_dir` {self.path} holds no {name}: no run has begun "
                "there."
            ) from error

    def write_config(
        self, config: Config, spec: DataSpec, **sizes: int
    ) -> None:
        """Writes config.json and data.json; the run has begun."""
        data = dataclasses.asdict(spec) | {"num_examples": sizes}
        self.write_json("data.json", data)
        self.write(
            "config.json", lambda file: file.write(config.to_json().encode())
        )

    def read_settings(self) -> dict[str, Any]:
        """Returns the settings in config.json, by name.

        Raises:
          InputError: the file is missing or holds what Config refuses.
        """
        return config_file.read_json(self.file("config.json"))

    def read_data(self) -> tuple[DataSpec, dict[str, int]]:
        """Returns the data's spec and {part: number of examples}."""
        data = self.read_json("data.json")
        sizes = data.pop("num_examples")
        return DataSpec(
            **data | {"event_shape": tuple(data["event_shape"])}
        ), sizes

    def write_rows(self, rows: list[Row]) -> None:
        """Writes metrics.jsonl, a line an epoch."""
        text = "".join(json.dumps(row) + "\n" for row in rows)
        self.write("metrics.jsonl", lambda file: file.write(text.encode()))

    def read_rows(self, *, num_epochs: int | None = None) -> list[Row]:
        """Returns the rows of the first `num_epochs` epochs, or of all."""
        if not os.path.exists(self.file("metrics.jsonl")):
            return []
        with open(self.file("metrics.jsonl"), encoding="utf-8") as file:
            return [json.loads(line) for line in file][:num_epochs]

    def save_weights(self, model: Learner, which: str) -> None:
        """Writes weights/<which>.npz, which is "best" or "last"."""
        arrays = {key: v.numpy() for key, v in _named_variables(model).items()}
        self.write(
            os.path.join("weights", f"{which}.npz"),
            lambda file: np.savez(file, **arrays),
        )

    def load_weights(self, model: Learner, which: str) -> None:
        """Loads weights/<which>.npz into a model of the same settings.

        Raises:
          MissingRunError: no such weights were saved.
        """
        path = self.file("weights", f"{which}.npz")
        if not os.path.exists(path):
            raise MissingRunError(
                f"`run_dir` {self.path} holds no {which} weights yet; train "
                "for an epoch first."
            )
        with np.load(path, allow_pickle=False) as arrays:
            for key, variable in _named_variables(model).items():
                variable.assign(arrays[key])

    def checkpoint_manager(
        self, model: Learner, **more: Any
    ) -> tf.train.CheckpointManager:
        """Returns what saves and restores all that resuming needs.

        Args:
          model: built and compiled.
          **more: other objects with variables.
        """
        checkpoint = tf.train.Checkpoint(
            optimizer=model.optimizer,
            train_step_count=model.train_step_count,
            means=model.metrics,
            **model.networks,
            **({"adversary": model.adversary} if model.adversary else {}),
            **more,
        )
        return tf.train.CheckpointManager(
            checkpoint, self.file("checkpoints"), max_to_keep=CHECKPOINTS_KEPT
        )

    def save_figure(self, name: str, figure: Any) -> None:
        """Writes figures/<name>.png from a matplotlib figure."""
        self.write(
            os.path.join("figures", f"{name}.png"),
            lambda file: figure.savefig(file, format="png", dpi=120),
        )


@dataclasses.dataclass(frozen=True)
class Run:
    """A trained model and where it came from."""

    config: Config
    spec: DataSpec
    model: Learner
    run_dir: RunDir


def load_run(path: str, *, which: str = "best") -> Run:
    """Loads a run from its folder.

    Args:
      path: of the run folder.
      which: "best" weights by val_elbo, or the "last".

    Raises:
      MissingRunError: no run, or no such weights, in the folder.
    """
    run_dir = RunDir(path)
    if not run_dir.holds_run():
        raise MissingRunError(
            f"`run_dir` {path} holds no run (no config.json)."
        )
    spec, sizes = run_dir.read_data()
    config = resolve.resolve(  # settings that the run did not know of
        Config(**run_dir.read_settings()),
        spec,
        num_examples=sizes["train"],
        num_replicas=1,
    )
    model = build.build_model(
        config,
        spec,
        num_examples=sizes["train"],
    )
    run_dir.load_weights(model, which)
    return Run(config, spec, model, run_dir)


def _named_variables(model: Learner) -> dict[str, tf.Variable]:
    """Returns the variables of all networks by names that stay the same.

    Keras numbers its layers through a process, so their names are left out.
    """
    return {
        f"{name}/{index:03d}/{_own_name(variable)}": variable
        for name, network in model.networks.items()
        for index, variable in enumerate(network.variables)
    }


def _own_name(variable: tf.Variable) -> str:
    """Returns "kernel" for "dense_1/kernel:0"."""
    return variable.name.rpartition("/")[2].partition(":")[0]
