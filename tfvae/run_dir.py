"""One run on disk: config, weights, metrics, checkpoints, figures.

Every file appears by rename, so none is ever seen half-written. The layout is
the one in README.
"""

import dataclasses
import json
import os
from typing import Any

import tensorflow as tf

from tfvae import atomic, build, config_file, records, resolve, storage, weights
from tfvae import checkpoints as checkpoints_lib
from tfvae.config import Config
from tfvae.data.spec import DataSpec
from tfvae.errors import InputError, MissingRunError
from tfvae.folder import Folder, reading, writing
from tfvae.learner import Learner

Row = dict[str, float]
PARTS = (
    "weights",
    checkpoints_lib.FOLDER,
    "figures",
    "tensorboard",
    "baselines",
)
ROWS = "metrics.jsonl"
FILES = (
    "config.json", "data.json", ROWS, "result.json",
    "evaluation.json", "report.html", "profile.json",
)  # fmt: skip


class RunDir(Folder):
    """Reads and writes the files of one run.

    Args:
      path: of the folder.
    """

    def holds_run(self) -> bool:
        """Whether a run has begun here."""
        return self.has("config.json")

    def is_complete(self) -> bool:
        """Whether the run has ended."""
        return self.has("result.json")

    def prepare(self) -> None:
        """Makes the folder, and makes sure that it can be written to.

        Raises:
          InputError: the folder cannot be written, or holds other things.
        """
        if not self.writes:
            return
        try:
            storage.make_folder(self.path)
            entries = set(storage.names(self.path)) - {*PARTS, *FILES}
            if not self.holds_run() and any(
                not entry.startswith(".") for entry in entries
            ):
                raise InputError(
                    f"`run_dir` {self.path} holds files that are no run "
                    f"({sorted(entries)[0]}); give an empty or new folder."
                )
            trial = self.file(".writable")
            atomic.write_whole(trial, lambda file: file.write(b"."))
            storage.remove(trial)
        except OSError as error:
            raise InputError(
                f"`run_dir` {self.path} cannot be written: {error.strerror}; "
                "give another."
            ) from error

    def clear(self) -> None:
        """Removes the run, and nothing else, from the folder.

        Raises:
          WriteError: something cannot be removed.
        """
        if not self.writes:
            return
        # What a kill leaves must never pass for the next run's: what says that
        # there are checkpoints goes first, config.json, which says whose they
        # are, last.
        with writing(self.path):
            storage.remove(self.file("result.json"))
            checkpoints_lib.forget(self)
            for name in (*PARTS, *reversed(FILES)):
                storage.remove(self.file(name))

    def read(self, *names: str) -> bytes:
        """Returns what a file of the run holds.

        Raises:
          InputError: it cannot be read.
          MissingRunError: there is no such file.
        """
        path = self.file(*names)
        try:
            with reading(path):
                return storage.read(path)
        except FileNotFoundError as error:
            raise MissingRunError(
                f"`run_dir` {self.path} holds no {os.path.join(*names)}: no "
                "run has begun there."
            ) from error

    def read_json(self, name: str) -> dict[str, Any]:
        """Returns what a JSON file of the run holds.

        Raises:
          InputError: it is not what `records` says it must be.
          MissingRunError: there is no such file.
        """
        content = records.parse_object(
            self.read(name), source=self.file(name), finite=False
        )
        records.check(content, name, source=self.file(name))
        return content

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
        fields = {
            field.name: data[field.name]
            for field in dataclasses.fields(DataSpec)
            if field.name in data
        }
        shape = tuple(data["event_shape"])
        return DataSpec(**fields | {"event_shape": shape}), data["num_examples"]

    def write_rows(self, rows: list[Row]) -> None:
        """Writes metrics.jsonl, a line an epoch."""
        text = "".join(json.dumps(row) + "\n" for row in rows)
        self.write(ROWS, lambda file: file.write(text.encode()))

    def read_rows(self, *, num_epochs: int | None = None) -> list[Row]:
        """Returns the rows of the first `num_epochs` epochs, or of all.

        What follows them is not looked at.

        Raises:
          InputError: a row is damaged, or missing.
        """
        lines = self.read(ROWS).splitlines() if self.has(ROWS) else []
        path = self.file(ROWS)
        # The last one is written after its epoch's checkpoint, at a signal.
        if num_epochs is not None and len(lines) < num_epochs - 1:
            raise InputError(
                f"{path} holds {len(lines)} rows, and the checkpoint is of "
                f"epoch {num_epochs}; put it back, or start anew with "
                "--overwrite."
            )
        rows = []
        for epoch, line in enumerate(lines[:num_epochs], 1):
            source = f"{path}, line {epoch}"
            row = records.parse(line, source=source)
            records.check_row(row, epoch=epoch, source=source)
            rows.append(row)
        return rows

    def save_weights(self, model: Learner, which: str) -> None:
        """Writes weights/<which>.npz, which is "best" or "last".

        Under a strategy all workers must call it, as `Checkpoints.save`.
        """
        arrays = {key: v.numpy() for key, v in weights.variables(model).items()}
        self.write(
            os.path.join("weights", f"{which}.npz"),
            lambda file: weights.write(file, arrays),
        )

    def load_weights(self, model: Learner, which: str) -> None:
        """Loads weights/<which>.npz into a model of the same settings.

        Raises:
          InputError: the file is damaged, or another model's.
          MissingRunError: no such weights were saved.
        """
        names = ("weights", f"{which}.npz")
        if not self.has(*names):
            raise MissingRunError(
                f"`run_dir` {self.path} holds no {which} weights yet; train "
                "for an epoch first."
            )
        variables = weights.variables(model)
        like = {key: v.numpy() for key, v in variables.items()}
        try:
            arrays = weights.read(self.read(*names), like)
        except ValueError as error:
            raise InputError(
                f"{self.file(*names)} is damaged, or of another model: "
                f"{error}; put it back, or take the others of best and last."
            ) from error
        for key, variable in variables.items():
            variable.assign(arrays[key])

    def checkpoints(
        self, model: Learner, **more: Any
    ) -> checkpoints_lib.Checkpoints:
        """Returns what saves and restores all that resuming needs.

        Args:
          model: built and compiled.
          **more: other objects with variables.
        """
        checkpoint = tf.train.Checkpoint(
            optimizer=model.optimizer,
            train_step_count=model.train_step_count,
            **model.networks,
            **({"adversary": model.adversary} if model.adversary else {}),
            **more,
        )
        return checkpoints_lib.Checkpoints(self, checkpoint)

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
