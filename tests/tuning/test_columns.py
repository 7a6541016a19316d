"""Settings of trials as columns: all numbers, or all words."""

from typing import Any

import numpy as np

from tuning.columns import columns
from tuning.results import Result


def trial(**values: Any) -> Result:
    """Returns a completed trial."""
    return Result("0", "COMPLETED", values, 1.0, {})


def test_numbers_stay_numbers_and_words_are_as_typed() -> None:
    results = [
        trial(latent_dim=4, C=0.5, jit_compile="on", free_bits="off",
              dequantize=True, hidden_units=(512, 256)),
        trial(latent_dim=np.int64(9), C=2, jit_compile="off", free_bits=0.25,
              dequantize=False, hidden_units=()),
        trial(latent_dim=64, C=1e3, jit_compile="on", free_bits=3,
              dequantize=True, hidden_units=(8,)),
    ]  # fmt: skip
    assert columns(results) == {
        "latent_dim": [4, 9, 64],
        "C": [0.5, 2, 1000],
        "jit_compile": ["on", "off", "on"],
        "free_bits": ["off", "0.25", "3"],
        "dequantize": ["true", "false", "true"],
        "hidden_units": ["512,256", "none", "8"],
    }


def test_a_setting_that_one_trial_has_not_is_no_column() -> None:
    assert columns([trial(C=1.0, latent_dim=2), trial(C=3.0)]) == {
        "C": [1.0, 3.0]
    }
    assert columns([trial(), trial(C=3.0)]) == {}
    assert columns([]) == {}
