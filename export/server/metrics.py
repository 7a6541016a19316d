"""Counts and latencies of the server, in Prometheus's text format."""

import bisect
import itertools
import threading
from collections.abc import Iterator, Sequence

from export.codes import Code


def _exponential(start: float, *, factor: float, count: int) -> list[float]:
    """Returns `count` limits, each `factor` times the one before."""
    factors = itertools.repeat(factor, count - 1)
    return [*itertools.accumulate(factors, lambda x, y: x * y, initial=start)]


LATENCY = _exponential(10, factor=1.8, count=33)  # to 20 minutes
QUEUING = _exponential(100, factor=1.2, count=52)  # to 1 second
PADDING = [-2 / 3, *_exponential(2 / 3, factor=2, count=16)]
LOAD_ATTEMPTS = ":tensorflow:cc:saved_model:load_attempt_count"
LOAD_LATENCY = ":tensorflow:cc:saved_model:load_latency"
PADDING_SIZE = ":tensorflow:serving:batching:padding_size_v2"
QUEUING_LATENCY = ":tensorflow:serving:batching_session:queuing_latency"
WARMUP_LATENCY = ":tensorflow:serving:model_warmup_latency"
REQUESTS = ":tensorflow:serving:request_count"
REQUEST_LATENCY = ":tensorflow:serving:request_latency"
RUNTIME_LATENCY = ":tensorflow:serving:runtime_latency"
# {name: (its labels, the buckets' limits; none: it is a counter)}
METRICS: dict[str, tuple[tuple[str, ...], Sequence[float]]] = {
    LOAD_ATTEMPTS: (("model_path", "status"), ()),
    LOAD_LATENCY: (("model_path",), ()),
    PADDING_SIZE: (("model_name", "execution_batch_size", "op_name"), PADDING),
    QUEUING_LATENCY: (("thread_pool_name",), QUEUING),
    WARMUP_LATENCY: (("model_path", "status"), LATENCY),
    REQUESTS: (("model_name", "status"), ()),
    REQUEST_LATENCY: (("model_name", "API", "entrypoint"), LATENCY),
    RUNTIME_LATENCY: (("model_name", "API", "runtime"), LATENCY),
}


class Metrics:
    """What the server has counted since it started; safe among threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counters: dict[str, dict[tuple[str, ...], int]] = {}
        self._histograms: dict[str, dict[tuple[str, ...], _Histogram]] = {}
        for name, (_, limits) in METRICS.items():
            if limits:
                self._histograms[name] = {}
            else:
                self._counters[name] = {}

    def request(
        self,
        *,
        model_name: str,
        entrypoint: str,
        code: Code,
        seconds: float,
        api: str = "Predict",
    ) -> None:
        """Counts a request; the latency is that of successful ones.

        Args:
          model_name: as the client wrote it.
          entrypoint: "REST" or "GRPC".
          code: that it was answered with.
          seconds: that it took.
          api: "Predict", "Classify" or "Regress".
        """
        self._add(REQUESTS, 1, labels=(model_name, code.name))
        if code == Code.OK:
            labels = (model_name, api, entrypoint)
            self._observe(REQUEST_LATENCY, 1e6 * seconds, labels=labels)

    def runtime(self, *, model_name: str, seconds: float) -> None:
        """Counts a run of TensorFlow."""
        labels = (model_name, "Predict", "TF1")
        self._observe(RUNTIME_LATENCY, 1e6 * seconds, labels=labels)

    def load(self, *, model_path: str, success: bool, seconds: float) -> None:
        """Counts an attempt to load a saved model."""
        status = "success" if success else "fail"
        self._add(LOAD_ATTEMPTS, 1, labels=(model_path, status))
        if success:
            self._add(LOAD_LATENCY, int(1e6 * seconds), labels=(model_path,))

    def warmup(self, *, model_path: str, status: str, seconds: float) -> None:
        """Counts a warm-up; `status` is "OK" or "CODE: message"."""
        labels = (model_path, status)
        self._observe(WARMUP_LATENCY, 1e6 * seconds, labels=labels)

    def queuing(self, *, thread_pool_name: str, seconds: float) -> None:
        """Counts a request's wait for its batch."""
        labels = (thread_pool_name,)
        self._observe(QUEUING_LATENCY, 1e6 * seconds, labels=labels)

    def padding(self, *, rows: int, batch_size: int) -> None:
        """Counts the rows that a batch was padded with to `batch_size`."""
        # The real server's batches do not know whose they are.
        labels = ("", str(batch_size), "")
        self._observe(PADDING_SIZE, rows, labels=labels)

    def text(self) -> str:
        """Returns all of it, in Prometheus's text format."""
        with self._lock:
            return "".join(f"{line}\n" for line in self._lines())

    def _add(self, name: str, amount: int, *, labels: tuple[str, ...]) -> None:
        with self._lock:
            cells = self._counters[name]
            cells[labels] = cells.get(labels, 0) + amount

    def _observe(
        self, name: str, value: float, *, labels: tuple[str, ...]
    ) -> None:
        with self._lock:
            cells = self._histograms[name]
            if labels not in cells:
                cells[labels] = _Histogram(METRICS[name][1])
            cells[labels].add(value)

    def _lines(self) -> Iterator[str]:
        for name, (keys, _) in sorted(METRICS.items()):
            if name in self._counters:
                yield f"# TYPE {name} counter"
                for labels, count in sorted(self._counters[name].items()):
                    yield f"{name}{{{_pairs(keys, labels)}}} {count}"
            else:
                yield f"# TYPE {name} histogram"
                for labels, cell in sorted(self._histograms[name].items()):
                    yield from cell.lines(name, labels=_pairs(keys, labels))


class _Histogram:
    """How many values fell below each of some limits."""

    def __init__(self, limits: Sequence[float]) -> None:
        self._limits = limits
        self._counts = [0] * (len(limits) + 1)
        self._sum = 0.0

    def add(self, value: float) -> None:
        """Counts a value; one that equals a limit is not below it."""
        self._counts[bisect.bisect_right(self._limits, value)] += 1
        self._sum += value

    def lines(self, name: str, *, labels: str) -> Iterator[str]:
        """Yields its lines."""
        limits = [*(f"{limit:g}" for limit in self._limits), "+Inf"]
        sums = [*itertools.accumulate(self._counts)]
        for limit, count in zip(limits, sums, strict=True):
            yield f'{name}_bucket{{{labels},le="{limit}"}} {count}'
        yield f"{name}_sum{{{labels}}} {self._sum:g}"
        yield f"{name}_count{{{labels}}} {sums[-1]}"


def _pairs(keys: Sequence[str], values: Sequence[str]) -> str:
    """Returns labels as they stand between the braces."""
    return ",".join(
        f'{key}="{_escape(value)}"'
        for key, value in zip(keys, values, strict=True)
    )


def _escape(value: str) -> str:
    for sign, escaped in (("\\", r"\\"), ('"', r"\""), ("\n", r"\n")):
        value = value.replace(sign, escaped)
    return value
