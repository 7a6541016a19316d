"""From accounts and a trace to seconds, rates and text."""

from typing import Any

import pytest

from tfvae.profiling import clock, flops, peak, summary, table
from tfvae.profiling.trace import Trace


class _Model:
    class distribute_strategy:
        num_replicas_in_sync = 3


def _account(**values: float) -> clock.Account:
    account = clock.Account()
    vars(account).update(values)
    return account


TRACED = _account(steps=4, stepping=10.0, between=2.0)
TIMED = _account(
    steps=8, epochs=2, stepping=12.0, between=4.0, validation=6.0, closing=2.0
)
# 9 of the 10 traced seconds in a kernel, half of one waiting for data
SEEN = Trace(9.0, 0.5, {f"kind{i}": 2.0**-i for i in range(12)})


@pytest.fixture(autouse=True)
def _machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flops, "training_flops", lambda model: 30)
    monkeypatch.setattr(peak, "matmul_peak", lambda: 400.0)
    monkeypatch.setattr(peak, "device_kind", lambda: "CPU")


def _summarize(trace: Trace | None, timed: clock.Account) -> dict[str, Any]:
    return summary.summarize(
        _Model(), {clock.TRACED: TRACED, clock.TIMED: timed}, trace,
        num_examples=80, steps_per_epoch=16,
    )  # fmt: skip


def test_an_epoch_is_timed_where_nothing_is_traced() -> None:
    found = _summarize(SEEN, TIMED)
    # 16 steps of 12 / 8 s, and 4 / 8 s of callbacks for each
    assert found["epoch_seconds"] == pytest.approx({
        "steps": 24.0, "input": 1.2, "compute": 21.6, "rest": 1.2,
        "callbacks": 8.0, "validation": 3.0, "epoch_end": 1.0,
    })  # fmt: skip
    assert found["images_per_second"] == pytest.approx(80 / 32)
    assert found["flops_per_second"] == pytest.approx(75)
    assert found["share_of_peak"] == pytest.approx(75 / 400)
    assert (found["traced_steps"], found["timed_steps"]) == (4, 8)


def test_steps_that_were_all_traced_are_timed_so() -> None:
    found = _summarize(SEEN, _account(epochs=1, validation=5.0))
    assert found["epoch_seconds"]["steps"] == pytest.approx(16 * 10 / 4)
    assert found["epoch_seconds"]["callbacks"] == pytest.approx(16 * 2 / 4)
    assert found["epoch_seconds"]["validation"] == 5
    assert found["timed_steps"] == 0
    assert "timed while traced, which slows them down" in table.text(found, "R")


def test_a_peak_is_of_all_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peak, "device_kind", lambda: "GPU")
    assert _summarize(SEEN, TIMED)["matmul_peak"] == 3 * 400


def test_ten_kernels_and_shares_of_all_of_them() -> None:
    shares = _summarize(SEEN, TIMED)["kernel_shares"]
    total = 2 - 2.0**-11
    assert list(shares) == [f"kind{i}" for i in range(10)]
    assert shares["kind3"] == pytest.approx(2.0**-3 / total)


def test_the_table_shows_seconds_and_shares() -> None:
    found = _summarize(SEEN, TIMED)
    lines = table.text(found, "R/tensorboard").splitlines()
    rows = {line[:44].strip(): line[44:].split() for line in lines[1:8]}
    assert rows == {
        "steps": ["24.000", "66.7%"],
        "input: waiting for a batch, making it": ["1.200", "3.3%"],
        "compute: kernels": ["21.600", "60.0%"],
        "host: no kernel under way": ["1.200", "3.3%"],
        "callbacks between executions (host)": ["8.000", "22.2%"],
        "validation": ["3.000", "8.3%"],
        "saving, callbacks of the epoch's end (host)": ["1.000", "2.8%"],
    }
    text = "\n".join(lines)
    assert "18.8% of the CPU's float32 matrix-product peak" in text
    assert "--logdir=R/tensorboard" in text
    assert "slows them down" not in text


@pytest.mark.parametrize(
    ("trace", "unknown"),
    [
        (SEEN._replace(input=None), {"input"}),
        (None, {"input", "compute", "rest"}),
    ],
)
def test_what_is_not_known_is_said(
    trace: Trace | None, unknown: set[str]
) -> None:
    found = _summarize(trace, TIMED)
    seconds = found["epoch_seconds"]
    assert {name for name in seconds if seconds[name] is None} == unknown
    text = table.text(found, "R")
    assert text.count("not separable") == len(unknown)
    assert "24.000  66.7%" in text
