"""Serves an export: python -m export.serve --help."""

import contextlib
import dataclasses
import os
import sys
from importlib import metadata
from typing import TYPE_CHECKING, Any

from export.server import flags as server_flags
from export.server.flags import ServerFlags
from tfvae import flags, program, settings, storage
from tfvae.errors import InputError
from tfvae.settings import setting

if TYPE_CHECKING:
    from export.server.ending import Ending

SUMMARY = """Serves models over REST and gRPC, as TensorFlow Serving does.

usage: python -m export.serve --export_dir=E [--name=value ...]

Starts tensorflow_model_server where PATH has it, else the local development
server, which answers alike but is for development, not for production. It
takes the flags of tensorflow_model_server; --export_dir sets those with which
an export is served, and further flags win over these. The development server
shows the latent explorer at /explorer.

Ends on SIGINT (status 130) and SIGTERM (status 0), once the requests under
way are answered; a second signal ends it at once."""

EXPLORER = "/explorer"
PORT: dict[str, Any] = {
    "number": int,
    "minimum": 0,
    "maximum": 65535,
    "words": ("auto",),
}


@dataclasses.dataclass(frozen=True)
class _Own:
    """What the real server has no flag for."""

    export_dir: str = setting("", "folder that export.saved_model wrote")
    rest_port: str | int = setting(
        "auto", "of REST, as rest_api_port; auto: 8501 for --export_dir", **PORT
    )
    grpc_port: str | int = setting(
        "auto", "of gRPC, as port; auto: 8500", **PORT
    )
    server: str = setting(
        "auto",
        "real: tensorflow_model_server; auto: that, where PATH has it",
        words=("auto", "real", "development"),
    )
    host: str = setting(
        "127.0.0.1",
        "address on which the development server listens; the real one "
        "listens on all",
    )
    max_request_bytes: int = setting(
        0,
        "the development server refuses larger requests over REST; 0: none",
        number=int, minimum=0, maximum=server_flags.MOST,
    )  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Serving(ServerFlags, _Own):
    """Settings of the program.

    Raises:
      InputError: a value is out of bounds, or two contradict each other.
    """

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = settings.check(field, getattr(self, field.name))
            object.__setattr__(self, field.name, value)
        self._take("rest_port", "rest_api_port")
        self._take("grpc_port", "port")

    def _take(self, own: str, name: str) -> None:
        """Lets a flag of ours set the server's own."""
        value, default = getattr(self, own), flags.fields_of(Serving)[name]
        if value == "auto":
            return
        if getattr(self, name) not in (value, default.default):
            raise InputError(
                f"`{own}` and `{name}` are the same; give one of them."
            )
        object.__setattr__(self, name, value)


def main(argv: list[str]) -> int:
    """Reads the command line, serves, and returns the exit status."""
    asked = flags.parse_as(Serving, argv, summary=SUMMARY)
    if asked.version:
        print(f"TensorFlow Library: {metadata.version('tensorflow')}")
        return program.DONE
    binary = _find_real(asked.server)
    from export.server.ending import Ending

    ending = Ending()
    with contextlib.ExitStack() as running:
        if asked.export_dir:
            preset = _preset(asked, running)
            argv = [argv[0], *preset, *argv[1:]]
            asked = flags.parse_as(Serving, argv, summary=SUMMARY)
        if binary:
            return _serve_real(asked, binary, ending)
        return _serve_here(asked, ending)


def _find_real(server: str) -> str | None:
    """Returns the path of the real server; None: ours is to serve."""
    from export.server import real

    binary = None if server == "development" else real.find()
    if server == "real" and binary is None:
        raise InputError(
            f"`server` real: PATH has no {real.BINARY}; install TensorFlow "
            "Serving, or give --server=development."
        )
    return binary


def _preset(asked: Serving, running: contextlib.ExitStack) -> list[str]:
    """Returns the flags with which an export is served.

    Args:
      asked: what was asked for.
      running: keeps the file of the models while the server runs.
    """
    for name in ("model_base_path", "model_config_file"):
        if getattr(asked, name):
            raise InputError(
                f"`export_dir` and `{name}` exclude each other; give one."
            )
    if not storage.is_local(asked.export_dir):
        raise InputError(
            f"`export_dir` {asked.export_dir} must be a local folder; copy the "
            "export to one, or have tensorflow_model_server read it there by "
            "a --model_config_file whose base paths name it."
        )
    from export import deployment
    from export.server.local_config import local_config

    models = running.enter_context(local_config(asked.export_dir))
    monitoring = os.path.join(asked.export_dir, deployment.MONITORING_FILE)
    ports = {"rest_api_port": asked.rest_port, "port": asked.grpc_port}
    automatic = {"rest_api_port": 8501, "port": 8500}
    return [
        f"--model_config_file={models}",
        *deployment.FLAGS,
        *(
            f"--{name}={automatic[name]}"
            for name, port in ports.items()
            if port == "auto"
        ),
        *(
            [f"--monitoring_config_file={monitoring}"]
            if os.path.exists(monitoring)
            else []
        ),
    ]


def _serve_real(asked: Serving, binary: str, ending: "Ending") -> int:
    from export.server import real

    return real.run(
        asked,
        binary=binary,
        ending=ending,
        on_ready=lambda: _announce(asked, "tensorflow_model_server", host="*"),
    )


def _serve_here(asked: Serving, ending: "Ending") -> int:
    unused = server_flags.unused(asked)
    if unused:
        print(
            f"of no meaning to the development server: {', '.join(unused)}",
            file=sys.stderr,
        )
    from export import explorer
    from export.server import development

    name = "development server (not for production)"
    development.run(
        asked,
        host=asked.host,
        max_request_bytes=asked.max_request_bytes,
        pages={EXPLORER: ("text/html; charset=utf-8", explorer.page())},
        ending=ending,
        on_ready=lambda: _announce(asked, name, host=asked.host),
    )
    return program.DONE if ending.status is None else ending.status


def _announce(asked: Serving, name: str, *, host: str) -> None:
    """Prints the one line that says who answers, and where."""
    shown = f"[{host}]" if ":" in host else host
    places = []
    if asked.rest_api_port:
        places.append(f"REST http://{shown}:{asked.rest_api_port}")
    if asked.port:
        places.append(f"gRPC {shown}:{asked.port}")
    print(f"{name} answers: {', '.join(places)}", flush=True)


if __name__ == "__main__":
    program.run_main(main, stopped="stopped.")
