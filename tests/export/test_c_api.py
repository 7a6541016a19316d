"""Saved models through the C library: values, types, errors, no Python."""

import pathlib
import subprocess
import sys

import ml_dtypes
import numpy as np
import pytest

from export import c_api
from export.codes import Code
from export.protos import meta_graph_pb2

MODELS = pathlib.Path(__file__).parent / "recorded" / "models"


class Model:
    """A recorded model whose signatures are called by name."""

    def __init__(self, name: str) -> None:
        self.session = c_api.Session(str(MODELS / name / "1"))
        self.signatures = meta_graph_pb2.MetaGraphDef.FromString(
            self.session.meta_graph
        ).signature_def

    def __call__(
        self, signature: str, **inputs: np.ndarray
    ) -> list[np.ndarray]:
        named = self.signatures[signature]
        feeds = {named.inputs[key].name: inputs[key] for key in inputs}
        outputs = sorted(named.outputs)
        return self.session.run(feeds, [named.outputs[k].name for k in outputs])


@pytest.fixture(scope="module")
def types() -> Model:
    return Model("types")


@pytest.mark.parametrize(
    ("signature", "values"),
    [
        ("float64", np.array([1.5, -2, 1e300])),
        ("half", np.array([1.5, -2, 3], np.float16)),
        ("bfloat16", np.array([1.5, -2, 3], ml_dtypes.bfloat16)),
        ("int8", np.array([-128, 0, 127], np.int8)),
        ("int16", np.array([-(2**15), 0, 5], np.int16)),
        ("int32", np.array([-(2**31), 0, 5], np.int32)),
        ("int64", np.array([-(2**63), 0, 2**63 - 1])),
        ("uint8", np.array([0, 200, 255], np.uint8)),
        ("uint16", np.array([0, 2**16 - 1, 5], np.uint16)),
        ("uint32", np.array([0, 2**32 - 1, 5], np.uint32)),
        ("uint64", np.array([0, 2**64 - 1, 5], np.uint64)),
        ("bool", np.array([True, False, True])),
        ("string", np.array([b"", b"a\0b", b"x" * 1000], object)),
    ],
)
def test_values_go_in_and_come_out(
    types: Model, signature: str, values: np.ndarray
) -> None:
    (answer,) = types(signature, x=values)
    assert answer.dtype == values.dtype
    np.testing.assert_array_equal(answer, values)


def test_an_empty_array_goes_through(types: Model) -> None:
    (answer,) = types("float64", x=np.zeros([0]))
    assert answer.shape == (0,)


def test_a_scalar_stays_one(types: Model) -> None:
    (answer,) = types("scalar_in", x=np.array(3, np.int32))
    np.testing.assert_array_equal(answer, [0, 1, 2])


def test_an_array_that_is_not_contiguous_goes_through(types: Model) -> None:
    values = np.arange(6, dtype=np.int64)[::-2]
    np.testing.assert_array_equal(types("int64", x=values)[0], [5, 3, 1])


def test_the_decoder_is_the_one_of_the_recipe() -> None:
    # Weights of numpy's seed, as the recorded models were made.
    rng = np.random.RandomState(1)
    w = rng.normal(0.0, 0.5, (3, 16)).astype(np.float32)
    b = rng.normal(0.0, 0.5, (16,)).astype(np.float32)
    z = np.array([[0.1, -0.2, 0.3], [1, 0, 0], [0, 2, 0]], np.float32)
    (x,) = Model("decoder")("decode", z=z)
    expected = 1 / (1 + np.exp(-(z @ w + b)))
    np.testing.assert_allclose(x.reshape(3, 16), expected, rtol=1e-5)


def test_operations_answer_with_their_code_and_words() -> None:
    with pytest.raises(
        c_api.TensorFlowError, match="INVALID_ARGUMENT: Matrix size-incompat"
    ) as error:
        Model("decoder")("decode", z=np.zeros([3, 7], np.float32))
    assert error.value.code is Code.INVALID_ARGUMENT


def test_an_unknown_tensor_is_named(types: Model) -> None:
    with pytest.raises(c_api.TensorFlowError, match="feed output nothing:0"):
        types.session.run({"nothing:0": np.zeros([3])}, [])


def test_a_type_that_tensorflow_lacks_is_refused(types: Model) -> None:
    with pytest.raises(c_api.TensorFlowError, match="no type datetime64"):
        types("float64", x=np.zeros([3], "datetime64[s]"))


def test_a_folder_without_a_model_is_not_found(
    tmp_path: pathlib.Path,
) -> None:
    with pytest.raises(c_api.TensorFlowError, match="Could not find SavedM"):
        c_api.Session(str(tmp_path))


def test_a_closed_session_may_be_closed_again() -> None:
    model = Model("decoder")
    model.session.close()
    model.session.close()


ALONE = f"""
import sys
import numpy as np
from export import c_api
from export.protos import meta_graph_pb2
c_api.disable_xla()
session = c_api.Session({str(MODELS / "types" / "1")!r})
graph = meta_graph_pb2.MetaGraphDef.FromString(session.meta_graph)
for name in ("python", "compiled"):
    signature = graph.signature_def[name]
    try:
        session.run({{signature.inputs["x"].name: np.ones([3], np.float32)}},
                    [signature.outputs["y"].name])
    except c_api.TensorFlowError as error:
        words, _, _ = error.message.partition(" used by")
        print(error.code.name, words.splitlines()[0])
print("tensorflow" in sys.modules)
import tensorflow
print(tensorflow.constant(3).numpy())
"""


@pytest.mark.slow
def test_without_python_its_operations_fail_as_they_do_in_a_server() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", ALONE],
        capture_output=True, text=True, check=True,
        cwd=pathlib.Path(__file__).parents[2],
    )  # fmt: skip
    assert done.stdout.splitlines() == [
        "INVALID_ARGUMENT No OpKernel was registered to support Op 'PyFunc'",
        "INTERNAL XLA compilation disabled",
        "False",
        "3",
    ]
