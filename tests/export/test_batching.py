"""The parameters of batching: their file, and the server's rules."""

import dataclasses
import pathlib
import re
from typing import Any

import pytest

from export import batching
from export.batching import BatchingParameters

RECORDED = pathlib.Path(__file__).parent / "recorded" / "config"
ALL = BatchingParameters(
    max_batch_size=64,
    batch_timeout_micros=0,
    max_enqueued_batches=100,
    num_batch_threads=3,
    thread_pool_name='a "pool"\nü',
    allowed_batch_sizes=(1, 8, 64),
    pad_variable_length_inputs=True,
    enable_large_batch_splitting=False,
    max_execution_batch_size=32,
)


def test_recorded_file_is_read() -> None:
    text = (RECORDED / "batching.config").read_text()
    assert batching.read(text) == BatchingParameters(
        max_batch_size=8,
        batch_timeout_micros=0,
        max_enqueued_batches=100,
        num_batch_threads=2,
        allowed_batch_sizes=(4, 8),
    )
    threads = (RECORDED / "threads.config").read_text()
    assert batching.read(threads) == BatchingParameters(num_batch_threads=2)


def test_every_field_is_written_and_read() -> None:
    for field in dataclasses.fields(ALL):
        assert getattr(ALL, field.name) != field.default
    assert batching.read(ALL.text()) == ALL
    assert batching.read(BatchingParameters().text()) == BatchingParameters()


def test_text_is_as_the_server_s_documents_write_it() -> None:
    parameters = BatchingParameters(
        max_batch_size=8, batch_timeout_micros=0, allowed_batch_sizes=(4, 8)
    )
    assert parameters.text() == (
        "max_batch_size { value: 8 }\n"
        "batch_timeout_micros { value: 0 }\n"
        "allowed_batch_sizes: 4\n"
        "allowed_batch_sizes: 8\n"
    )
    assert BatchingParameters().text() == ""


def test_other_spellings_of_the_same_are_read() -> None:
    text = """# a comment
        max_batch_size: { value: 0x8 } allowed_batch_sizes: [4, 8];
        thread_pool_name { value: 'a' "b" } pad_variable_length_inputs: t
        enable_large_batch_splitting {} max_enqueued_batches {}"""
    assert batching.read(text) == BatchingParameters(
        max_batch_size=8,
        allowed_batch_sizes=(4, 8),
        thread_pool_name="ab",
        pad_variable_length_inputs=True,
        enable_large_batch_splitting=False,
        max_enqueued_batches=0,
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("max_batch_size { value: ", "Couldn't parse integer"),
        ("max_batch_size: 8", "Expected"),
        ("max_batch { value: 8 }", 'no field named "max_batch"'),
        ("max_batch_size { value: 8.5 }", "Couldn't parse integer: 8.5"),
    ],
)
def test_what_is_no_such_text_is_refused(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        batching.read(text)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"max_batch_size": 8, "allowed_batch_sizes": (2, 4)},
            "Last entry in allowed_batch_sizes must match max_batch_size; last "
            "entry was 4; expected 8",
        ),
        (
            {"allowed_batch_sizes": (2, 4)},
            "Last entry in allowed_batch_sizes must match max_batch_size; last "
            "entry was 4; expected 1000",
        ),
        (
            {"max_batch_size": 0},
            "input_batch_size_limit must be positive; was 0",
        ),
        (
            {"batch_timeout_micros": -1},
            "batch_timeout_micros must be non-negative; was -1",
        ),
        (
            {"num_batch_threads": 0},
            "num_batch_threads must be positive; was 0",
        ),
        (
            {"enable_large_batch_splitting": True, "max_enqueued_batches": 0},
            "max_enqueued_batches must be positive; was 0",
        ),
        (
            {
                "enable_large_batch_splitting": True,
                "max_batch_size": 8,
                "max_execution_batch_size": 9,
            },
            "When enable_large_batch_splitting is true, input_batch_size_limit "
            "must be greater than or equal to max_execution_batch_size.189",
        ),
    ],
)
def test_what_the_server_would_not_load_is_refused(
    values: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        BatchingParameters(**values).check()


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"max_batch_size": 8, "allowed_batch_sizes": (8,)},
        {"max_batch_size": 8, "allowed_batch_sizes": (5, 2, 8)},
        {"allowed_batch_sizes": (1000,)},
        {"max_enqueued_batches": 0, "batch_timeout_micros": 0},
        {"max_batch_size": 8, "max_execution_batch_size": 9},
        {"max_batch_size": 8, "enable_large_batch_splitting": True},
        {
            "max_batch_size": 8,
            "max_execution_batch_size": 8,
            "enable_large_batch_splitting": True,
        },
    ],
)
def test_what_the_server_loads_is_accepted(values: dict[str, Any]) -> None:
    BatchingParameters(**values).check()
