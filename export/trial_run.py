"""Runs requests in a process of its own, as a server would: no TensorFlow.

python -m export.trial_run FOLDER takes pickled requests on standard input and
answers on standard output; `run` starts it.
"""

import pickle
import subprocess
import sys
from collections.abc import Sequence
from typing import BinaryIO, TypeAlias

import numpy as np

from export import c_api
from export.protos import meta_graph_pb2
from export.server import warm_up
from export.server.errors import ServingError
from export.server.metrics import Metrics
from export.server.predict import predict
from export.server.servable import Servable
from tfvae.errors import FailedError

Arrays: TypeAlias = dict[str, np.ndarray]
Request: TypeAlias = tuple[str, Arrays]  # signature, inputs by name
FAILED = 3


def run(folder: str, requests: Sequence[Request]) -> list[Arrays]:
    """Runs requests, and all warm-up records, in a fresh process.

    Args:
      folder: of a SavedModel.
      requests: signatures with their inputs.

    Returns:
      The outputs of each request, by name.

    Raises:
      FailedError: the model could not be loaded, or a request or a warm-up
        record failed; in TensorFlow's words.
    """
    done = subprocess.run(
        [sys.executable, "-m", "export.trial_run", folder],
        input=pickle.dumps(list(requests)),
        capture_output=True,
        check=False,
    )
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise FailedError(
            "the saved model fails in a fresh process: "
            f"{' '.join(last) or f'status {done.returncode}'}; it was not "
            "published."
        )
    return pickle.loads(done.stdout)


def main(folder: str, stdin: BinaryIO, stdout: BinaryIO) -> int:
    """Reads requests, runs them, writes the answers; returns the status."""
    requests: list[Request] = pickle.load(stdin)
    c_api.disable_xla()
    try:
        answers = _answers(folder, requests)
    except (ServingError, c_api.TensorFlowError) as error:
        print(f"{error.code.name}: {error.message}", file=sys.stderr)
        return FAILED
    assert "tensorflow" not in sys.modules
    pickle.dump(answers, stdout)
    return 0


def _answers(folder: str, requests: Sequence[Request]) -> list[Arrays]:
    session = c_api.Session(folder)
    servable = Servable(
        name="",
        version=0,
        folder=folder,
        meta_graph=meta_graph_pb2.MetaGraphDef.FromString(session.meta_graph),
        session=session,
    )
    warm_up.run(servable, iterations=1, metrics=Metrics())
    return [
        predict(servable, signature_name=name, inputs=inputs)
        for name, inputs in requests
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.stdin.buffer, sys.stdout.buffer))
