"""What a profiler's trace says of the steps: input, kernels, the rest."""

import collections
import glob
import os
import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

Span = tuple[int, int]  # from, to; picoseconds

INPUT_SCOPE = "input"  # of the operations that make a batch
WAIT = re.compile(r"(MultiDevice)?IteratorGetNext\w*(::DoCompute)?")
COPY_TO_DEVICE = "MemcpyH2D"
# A program of XLA on the CPU hands parts of its kernels to other threads, which
# note nothing: while it runs, it computes.
PROGRAM = "CpuExecutable::ExecuteAsyncOnStream"
# Their time is that of the operations inside.
CONTAINERS = {
    "While", "StatelessWhile", "If", "StatelessIf", "PartitionedCall",
    "StatefulPartitionedCall", "XlaLaunch", "_XlaRun", "while", "call",
    "conditional",
}  # fmt: skip
OPERATION = re.compile(r"([\w.\-/]+):([A-Z_]\w*)")  # name:Type
FLAVOUR = re.compile(r"^_(MklNative|Mkl)?|(_\d+|\.\d+)+$|\.clone")


class Trace(NamedTuple):
    """Time in the traced stretch, by what was going on.

    Attributes:
      compute: seconds in which a kernel of the step was under way, or on the
        CPU a program compiled by XLA, whose kernels are not seen in full.
      input: seconds in which it had none, and a batch was waited for or made;
        None: the trace does not tell a batch's operations from the others.
      kernels: {type of operation: seconds}, the heaviest first; summed over
        threads and devices, so that together they can be more than `compute`;
        of XLA's on the CPU, what the thread that began them saw.
    """

    compute: float
    input: float | None
    kernels: dict[str, float]


class _Event(NamedTuple):
    name: str
    kind: str  # type of a kernel's operation; "": no kernel
    span: Span


def read(folder: str) -> Trace | None:
    """Returns what the newest trace of a log folder says.

    Args:
      folder: where the profiler was told to write.

    Returns:
      trace: None if it holds no kernel.
    """
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    pattern = os.path.join(folder, "plugins", "profile", "*", "*.xplane.pb")
    newest = max(glob.glob(pattern), key=os.path.getmtime)
    space = xplane_pb2.XSpace()
    with open(newest, "rb") as file:
        space.ParseFromString(file.read())
    return summarize(space)


def summarize(space: Any) -> Trace | None:
    """Returns what a trace says; None if it holds no kernel.

    Where there are GPUs, the kernels are theirs, and `compute` and `input` are
    means over them; else they are the CPU's.

    Args:
      space: an XSpace protocol buffer.
    """
    host = [e for p in space.planes if p.name == "/host:CPU" for e in _host(p)]
    gpus = [list(_gpu(p)) for p in space.planes if "/device:GPU" in p.name]
    waits = [event.span for event in host if WAIT.fullmatch(event.name)]
    compute, exposed, kernels = 0, 0, collections.Counter[str]()
    has_input = bool(waits)
    for events in gpus or [host]:
        working = [e for e in events if e.kind and not _makes_input(e)]
        making = [e.span for e in events if _makes_input(e)]
        has_input = has_input or bool(making)
        spans = [event.span for event in working]
        spans += [event.span for event in events if event.name == PROGRAM]
        busy = covered(spans)
        compute += busy
        exposed += covered([*spans, *making, *waits]) - busy
        for event in working:
            kernels[event.kind] += event.span[1] - event.span[0]
    if not kernels:
        return None
    unit = 1e-12 / len(gpus or [host])
    return Trace(
        compute=compute * unit,
        input=exposed * unit if has_input else None,
        kernels={kind: t * 1e-12 for kind, t in kernels.most_common()},
    )


def covered(spans: Iterable[Span]) -> int:
    """Returns how long at least one of the spans lasts."""
    total, end = 0, 0
    for start, stop in sorted(spans):
        total += max(stop - max(start, end), 0)
        end = max(end, stop)
    return total


def _makes_input(event: _Event) -> bool:
    scopes = event.name.split("/")[:-1]
    return INPUT_SCOPE in scopes or event.name.startswith(COPY_TO_DEVICE)


def _host(plane: Any) -> Iterator[_Event]:
    """Yields the operations that the CPU ran, and its waits for data."""
    for line in plane.lines:
        # A batch is prepared beside the steps, which wait for it or do not.
        is_beside = line.name.startswith("tf_data")
        for event in line.events:
            name = plane.event_metadata[event.metadata_id].name
            operation = OPERATION.fullmatch(name)
            kind = operation[2] if operation else name
            if name == PROGRAM or WAIT.fullmatch(kind):
                yield _event(line, event, kind, "")
            elif operation and not is_beside:
                yield _event(line, event, operation[1], kind)
            elif "hlo_op" in _stats(plane, event):  # compiled by XLA
                yield _event(line, event, name, kind)


def _gpu(plane: Any) -> Iterator[_Event]:
    """Yields what ran on the streams of one GPU."""
    for line in plane.lines:
        if not line.name.startswith("Stream"):
            continue  # made from the streams
        for event in line.events:
            name = plane.event_metadata[event.metadata_id].name
            stats = _stats(plane, event)
            operation = OPERATION.fullmatch(stats.get("tf_op", ""))
            if name.startswith(COPY_TO_DEVICE) or not operation:
                kind = stats.get("hlo_op", name)
                yield _event(line, event, name, kind)
            else:
                yield _event(line, event, operation[1], operation[2])


def _event(line: Any, event: Any, name: str, kind: str) -> _Event:
    kind = FLAVOUR.sub("", kind)
    start = 1000 * line.timestamp_ns + event.offset_ps
    span = (start, start + event.duration_ps)
    return _Event(name, "" if kind in CONTAINERS else kind, span)


def _stats(plane: Any, event: Any) -> dict[str, str]:
    """Returns the texts that are known of an event, by name."""
    names = plane.stat_metadata
    return {
        names[stat.metadata_id].name: stat.str_value
        or names[stat.ref_value].name
        for stat in event.stats
        if stat.WhichOneof("value") in ("str_value", "ref_value")
    }
