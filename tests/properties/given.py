"""How property-based tests are run, and what they draw from."""

import dataclasses
from collections.abc import Callable
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from tfvae import settings
from tfvae.errors import InputError

FEW, MANY = 20, 60
NUM_EXAMPLES = pytest.mark.parametrize(
    "num_examples", [FEW, pytest.param(MANY, marks=pytest.mark.slow)]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=9,
)


def holds(
    claim: Callable[..., None], num_examples: int, **drawn: st.SearchStrategy
) -> None:
    """Checks a claim on drawn arguments, the same ones each time."""
    checked = hypothesis.given(**drawn)(claim)
    hypothesis.settings(
        max_examples=num_examples,
        derandomize=True,
        database=None,
        deadline=5000,  # milliseconds: what takes longer hangs
        suppress_health_check=list(hypothesis.HealthCheck),
    )(checked)()


def check_refusal(error: InputError) -> None:
    """Makes sure that an error is one line that says something."""
    line = str(error)
    assert line
    assert len(" ".join(line.split())) < 5000
    assert "Traceback" not in line


def numbers(rule: settings.Rule) -> st.SearchStrategy:
    """Draws numbers that a rule accepts."""
    low = rule.minimum if rule.above is None else rule.above
    most = settings.LARGEST_INT if rule.maximum is None else rule.maximum
    if rule.number is int:
        return st.integers(int(low or 0), int(most))
    above = rule.above is not None
    return st.floats(low, most, exclude_min=above, allow_infinity=False)


def accepted(field: dataclasses.Field) -> st.SearchStrategy[Any]:
    """Draws values that a field accepts, in its own type."""
    rule = settings.rule_of(field)
    kinds = [st.sampled_from(rule.words)] if rule.words else []
    if rule.is_switch:
        return st.booleans()
    if rule.is_list:
        kinds.append(st.lists(numbers(rule), max_size=4).map(tuple))
    elif rule.number is not None:
        kinds.append(numbers(rule))
    if rule.pattern is not None:
        kinds.append(st.from_regex(rule.pattern, fullmatch=True))
    if rule.is_free_text():
        kinds.append(st.text(st.characters(exclude_categories=("Cc", "Cs"))))
    return st.one_of(kinds)
