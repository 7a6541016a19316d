"""What a search is asked for, beside train's settings; no TensorFlow here."""

import dataclasses
from typing import Any

from tfvae import flags, settings
from tfvae.config import FIELDS
from tfvae.settings import setting

COMPARED_BY = ("nll", "elbo", "mse", "loss")
TRAINED_ON = settings.rule_of(FIELDS["objective"]).words


def _as_in_train(name: str) -> Any:
    field = flags.LAUNCH_FIELDS[name]
    return dataclasses.field(default=field.default, metadata=field.metadata)


@dataclasses.dataclass(frozen=True)
class Search:
    """Settings of a search.

    Raises:
      InputError: a value is of the wrong type or out of bounds.
    """

    directory: str = setting(
        "", "folder of the search; one that is there already is gone on with"
    )
    algorithm: str = setting(
        "bayesian",
        "of keras-tuner",
        words=("random", "bayesian", "hyperband", "grid"),
    )
    max_trials: str | int = setting(
        "auto",
        "how many settings are tried; auto: 20, the whole grid for grid, and "
        "what its rungs need for hyperband; more can be asked for later",
        words=("auto",), number=int, minimum=1,
    )  # fmt: skip
    space: str = setting(
        "",
        "a space.json; empty: latent_dim from 2 to 64 and C from 0.05 to 5000 "
        "(those that no flag gives)",
    )
    objective: str = setting(
        "nll",
        "what trials are compared by on the validation set: the importance-"
        "weighted nll, elbo, mse or loss; another word is train's --objective",
        words=tuple(dict.fromkeys(COMPARED_BY + TRAINED_ON)),
    )
    nll_samples: int = setting(
        100, "draws of z for each example of the nll", number=int, minimum=1
    )
    nll_examples: int = setting(
        1000,
        "of the validation set, drawn at random, on which the nll is measured; "
        "0: all",
        number=int, minimum=0,
    )  # fmt: skip
    factor: int = setting(
        3,
        "hyperband: by how much each rung has fewer trials and more epochs",
        number=int, minimum=2,
    )  # fmt: skip
    retrain_epochs: str | int = setting(
        "auto",
        "of the run that is trained with the best settings at the end; auto: "
        "as many as a trial",
        words=("auto",), number=int, minimum=1,
    )  # fmt: skip
    config: str = _as_in_train("config")
    overwrite: bool = setting(
        False, "start anew where the folder holds a search", is_switch=True
    )
    strategy: str = _as_in_train("strategy")
    num_virtual_devices: int = _as_in_train("num_virtual_devices")
    role: str = setting(
        "alone",
        "in a search of many processes: the chief, which hands out trials, or "
        "a worker; all share the folder and the other flags",
        words=("alone", "chief", "worker"),
    )
    chief: str = setting(
        "127.0.0.1:8790", "HOST:PORT at which workers find the chief"
    )
    worker_id: str = setting("", "of a worker; empty: from host and process")
    worker_timeout: float = setting(
        60.0,
        "seconds without a sign of life after which a worker's trial is given "
        "to another",
        number=float, above=0, maximum=1e6,
    )  # fmt: skip
