"""From what was measured to what is told: seconds, rates, shares."""

from collections.abc import Mapping
from typing import Any

from tfvae.learner import Learner
from tfvae.profiling import clock, flops, peak
from tfvae.profiling.trace import Trace

MOST_KERNELS = 10


def summarize(
    model: Learner,
    accounts: Mapping[str, clock.Account],
    trace: Trace | None,
    *,
    num_examples: int,
    steps_per_epoch: int,
) -> dict[str, Any]:
    """Returns what profile.json holds; measures the machine's peak for it.

    Steps are timed where nothing is traced, which slows them down, unless all
    of them were; the trace gives the shares of their time.

    Args:
      model: that was trained.
      accounts: of the clock, by part of the run; of the traced one and of the
        ends of epochs there must be something.
      trace: of the traced part; None: it holds no kernel.
      num_examples: in an epoch.
      steps_per_epoch: global batches in an epoch.
    """
    timed, traced = accounts[clock.TIMED], accounts[clock.TRACED]
    stepped = timed if timed.steps else traced
    scale = steps_per_epoch / stepped.steps
    steps, callbacks = stepped.stepping * scale, stepped.between * scale
    images_per_second = num_examples / (steps + callbacks)
    per_image = flops.training_flops(model)
    limit = _limit(model)
    return {
        "epoch_seconds": {
            "steps": steps,
            **_parts(trace, traced.stepping, steps),
            "callbacks": callbacks,
            "validation": timed.validation / timed.epochs,
            "epoch_end": timed.closing / timed.epochs,
        },
        "kernel_shares": _kernel_shares(trace),
        "traced_steps": traced.steps,
        "timed_steps": timed.steps,
        "images_per_second": images_per_second,
        "flops_per_image": per_image,
        "flops_counted": flops.COUNTED,
        "flops_per_second": images_per_second * per_image,
        "matmul_peak": limit,
        "share_of_peak": images_per_second * per_image / limit,
        "device": peak.device_kind(),
    }


def _limit(model: Learner) -> float:
    """Returns the FLOP/s of all devices; those of a CPU share its cores."""
    on_gpus = peak.device_kind() == "GPU"
    replicas = model.distribute_strategy.num_replicas_in_sync
    return peak.matmul_peak() * (replicas if on_gpus else 1)


def _parts(
    trace: Trace | None, traced_seconds: float, seconds: float
) -> dict[str, float | None]:
    """Returns what the steps' time consists of; None: not separable."""
    if trace is None:
        return {"input": None, "compute": None, "rest": None}
    compute = min(trace.compute / traced_seconds, 1.0)
    making = min((trace.input or 0.0) / traced_seconds, 1.0 - compute)
    return {
        "input": None if trace.input is None else making * seconds,
        "compute": compute * seconds,
        "rest": (1.0 - compute - making) * seconds,
    }


def _kernel_shares(trace: Trace | None) -> dict[str, float]:
    """Returns the heaviest kinds of kernels, each beside all kernels."""
    kernels = {} if trace is None else trace.kernels
    total = sum(kernels.values())
    heaviest = list(kernels.items())[:MOST_KERNELS]
    return {kind: seconds / total for kind, seconds in heaviest}
