"""A profile in words: where an epoch's time goes, and the share of the peak."""

from typing import Any

ROWS = {
    "steps": "steps",
    "input": "  input: waiting for a batch, making it",
    "compute": "  compute: kernels",
    "rest": "  host: no kernel under way",
    "callbacks": "callbacks between executions (host)",
    "validation": "validation",
    "epoch_end": "saving, callbacks of the epoch's end (host)",
}

WHOLE = ("steps", "callbacks", "validation", "epoch_end")


def text(summary: dict[str, Any], logs: str) -> str:
    """Returns a table of the epoch, then the kernels, the rates and the trace.

    Args:
      summary: as in profile.json.
      logs: folder of the trace.
    """
    seconds = summary["epoch_seconds"]
    total = sum(seconds[name] for name in WHOLE)
    width = max(map(len, ROWS.values()))
    lines = [f"{'an epoch':{width}}  seconds  share"]
    for name, label in ROWS.items():
        value = seconds[name]
        shown = (
            "  not separable"
            if value is None
            else f"{value:9.3f}  {value / total:5.1%}"
        )
        lines.append(f"{label:{width}}{shown}")
    if not summary["timed_steps"]:
        lines.append("(steps timed while traced, which slows them down)")
    kernels = summary["kernel_shares"]
    shares = ", ".join(f"{kind} {share:.1%}" for kind, share in kernels.items())
    lines += [
        f"heaviest kernels: {shares or 'none in the trace'}",
        f"{summary['images_per_second']:,.0f} images/s x "
        f"{summary['flops_per_image'] / 1e6:.2f} MFLOP = "
        f"{summary['flops_per_second'] / 1e9:,.1f} GFLOP/s, "
        f"{summary['share_of_peak']:.1%} of the {summary['device']}'s float32 "
        f"matrix-product peak, {summary['matmul_peak'] / 1e9:,.1f} GFLOP/s",
        f"(counted: {summary['flops_counted']})",
        f"trace of {summary['traced_steps']} steps: tensorboard "
        f"--logdir={logs} (with tensorboard-plugin-profile)",
    ]
    return "\n".join(lines)
