"""The peak of matrix products."""

import types

import pytest

from tfvae.profiling import peak


def test_the_fastest_of_all_tries_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(peak, "SIZES", {"CPU": (3, 5)})
    # Two sizes and two kernels: seconds of four tries, between two looks at
    # the clock to see whether the time is up.
    times = iter([0, 0.5, *(1, 3), *(3, 4), *(4, 5), *(5, 5.5), 9])
    watch = types.SimpleNamespace(perf_counter=lambda: next(times))
    monkeypatch.setattr(peak, "time", watch)
    # the last: 5x5, 2 * 125 FLOP in half a second
    assert peak.matmul_peak() == pytest.approx(500)


def test_without_a_gpu_it_is_the_cpu_s() -> None:
    assert peak.device_kind() == "CPU"
