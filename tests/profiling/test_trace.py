"""What a trace says, of traces made by hand: one number for each claim."""

import pathlib
from typing import Any

import pytest
from tensorflow.tsl.profiler.protobuf import xplane_pb2

from tfvae.profiling import trace

SECOND = 10**12  # picoseconds


def _plane(space: Any, name: str, lines: dict[str, list[tuple]]) -> None:
    """Adds a plane; an event is (name, from, to[, {stat: text}]), seconds."""
    plane = space.planes.add(name=name)
    names: dict[str, int] = {}
    for line_name, events in lines.items():
        line = plane.lines.add(name=line_name, timestamp_ns=5 * 10**9)
        for event_name, start, end, *stats in events:
            number = names.setdefault(event_name, len(names) + 1)
            plane.event_metadata[number].name = event_name
            event = line.events.add(
                metadata_id=number,
                offset_ps=round(start * SECOND),
                duration_ps=round((end - start) * SECOND),
            )
            for stat, value in (stats[0] if stats else {}).items():
                key = names.setdefault(stat, len(names) + 1)
                plane.stat_metadata[key].name = stat
                event.stats.add(metadata_id=key, str_value=value)


def test_of_a_cpu_time_is_the_union_and_kernels_are_sums() -> None:
    space = xplane_pb2.XSpace()
    _plane(space, "/host:CPU", {
        "tf_Compute/1": [
            ("ExecutorState::Process", 0, 20),
            ("while/body/_1/input/GatherV2:GatherV2", 0, 1),
            ("while/body/_1/a/Conv2D:_MklNativeConv2D", 1, 4),
            ("while/body/_1/input/Cast:Cast", 3, 7),  # 2 of 4 s are exposed
            ("outer:While", 0, 20),
        ],
        "tf_Compute/2": [
            ("while/body/_1/b/Conv2D:_MklNativeConv2D", 2, 5),
            ("Adam/Mul_1:Mul", 9, 9.5),
        ],
    })  # fmt: skip
    found = trace.summarize(space)
    assert found is not None
    assert found.compute == pytest.approx(4.5)  # 1 to 5, and 9 to 9.5
    assert found.input == pytest.approx(3)  # 0 to 1, and 5 to 7
    assert found.kernels == pytest.approx({"Conv2D": 6, "Mul": 0.5})
    assert list(found.kernels) == ["Conv2D", "Mul"]


def test_a_stream_s_input_is_what_the_steps_wait_for() -> None:
    space = xplane_pb2.XSpace()
    _plane(space, "/host:CPU", {
        "tf_Compute/1": [
            ("a/MatMul:_MklMatMul", 2, 5),
            ("while/IteratorGetNext:IteratorGetNext", 7, 7.5),
        ],
        "tf_data_iterator_get_next/1": [
            ("IteratorGetNextOp::DoCompute", 1, 3),
            ("Iterator::Root", 1, 3),
        ],
        "tf_data_private_threadpool/1": [("Cast:Cast", 8, 9)],
    })  # fmt: skip
    found = trace.summarize(space)
    assert found == trace.Trace(3, 1.5, {"MatMul": 3})


def test_a_program_of_xla_computes_while_it_runs() -> None:
    space = xplane_pb2.XSpace()
    hlo = {"hlo_op": "any"}
    _plane(space, "/host:CPU", {
        "tf_Compute/1": [
            ("CpuExecutable::ExecuteAsyncOnStream", 1, 9),
            ("while.6", 1, 9, hlo),
        ],
        "tf_numa_-1_Eigen/2": [
            ("MatMul.12", 2, 4, hlo), ("MatMul_1.65", 5, 6, hlo),
            ("add_fusion.3", 6, 7, hlo), ("ThreadpoolListener::Record", 8, 20),
        ],
    })  # fmt: skip
    found = trace.summarize(space)
    assert found == trace.Trace(8, None, {"MatMul": 3, "add_fusion": 1})


def test_gpus_take_the_place_of_the_cpu() -> None:
    space = xplane_pb2.XSpace()
    _plane(space, "/host:CPU", {
        "tf_Compute/1": [
            ("a/MatMul:MatMul", 0, 50),  # launches it
            ("IteratorGetNextOp::DoCompute", 0, 1),
        ],
    })  # fmt: skip
    _plane(space, "/device:GPU:0", {
        "Stream #1(Compute)": [
            ("sgemm_128x64", 2, 5, {"tf_op": "a/MatMul:MatMul"}),
            ("fusion_7", 4, 8, {"hlo_op": "fusion.7"}),
            ("nccl_sum", 8, 9),
        ],
        "Stream #2(MemcpyH2D)": [("MemcpyH2D", 7, 12)],  # 3 s are exposed
        "XLA Ops": [("fusion.7", 0, 100, {"hlo_op": "fusion.7"})],
    })  # fmt: skip
    _plane(space, "/device:GPU:1", {
        "Stream #1(Compute)": [
            ("sgemm_128x64", 2, 5, {"tf_op": "a/MatMul:MatMul"})
        ],
    })  # fmt: skip
    found = trace.summarize(space)
    assert found is not None
    assert found.compute == pytest.approx((7 + 3) / 2)
    assert found.input == pytest.approx((4 + 1) / 2)
    kernels = {"MatMul": 6, "fusion": 4, "nccl_sum": 1}
    assert found.kernels == pytest.approx(kernels)


def test_without_a_kernel_nothing_is_said() -> None:
    space = xplane_pb2.XSpace()
    _plane(space, "/host:CPU", {"python": [("_run", 0, 9)]})
    assert trace.summarize(space) is None


def test_the_newest_trace_is_read(tmp_path: pathlib.Path) -> None:
    for name, end in (("2026_b", 3), ("2026_a", 7)):
        space = xplane_pb2.XSpace()
        _plane(space, "/host:CPU", {"tf_Compute": [("a:Mul", 0, end)]})
        path = tmp_path / "plugins" / "profile" / name / "host.xplane.pb"
        path.parent.mkdir(parents=True)
        path.write_bytes(space.SerializeToString())
    found = trace.read(str(tmp_path))
    assert found == trace.Trace(7, None, {"Mul": 7})
