"""Runs atheris on one function: python -m tests.fuzz.NAME [--seconds=600].

Other arguments go to libFuzzer; so does a file, to see what it does. An input
that fails is left as crash-* in the folder where this is run.
"""

import os
import sys
import tempfile
from collections.abc import Callable, Iterable
from typing import NoReturn

import atheris

LIMITS = ("-timeout=10", "-rss_limit_mb=3000", "-print_final_stats=1")
SECONDS = "--seconds="


def fuzz(
    test_one: Callable[[bytes], None],
    seeds: Iterable[bytes],
    *,
    most_bytes: int = 4096,
) -> NoReturn:
    """Feeds mutated inputs to a function until the time is over; then exits.

    Args:
      test_one: returns whatever it is given; what it raises is a finding.
      seeds: good inputs to start from.
      most_bytes: of an input.
    """
    seconds, others = "10", []
    for argument in sys.argv[1:]:
        if argument.startswith(SECONDS):
            seconds = argument.removeprefix(SECONDS)
        else:
            others.append(argument)
    with tempfile.TemporaryDirectory() as corpus:
        for index, seed in enumerate(seeds):
            with open(os.path.join(corpus, str(index)), "wb") as file:
                file.write(seed)
        folder = [] if any(map(os.path.isfile, others)) else [corpus]
        options = [f"-max_total_time={seconds}", f"-max_len={most_bytes}"]
        atheris.Setup(
            [sys.argv[0], *LIMITS, *options, *others, *folder], test_one
        )
        atheris.Fuzz()
    sys.exit()
