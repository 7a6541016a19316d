"""Asks a model server: python -m export.client --help."""

import io
import math
import sys
from typing import TYPE_CHECKING, Any

from export.client.request import MOST_SHOWN, Request
from tfvae import atomic, flags, program
from tfvae.errors import FailedError, InputError
from tfvae.generate import check_folder

if TYPE_CHECKING:  # libraries of the network take time, --help must not wait
    from export.client.rows import Rows
    from export.client.servable import Arrays
    from export.client.synchronous import Client

SUMMARY = """Asks a model server; writes a picture or arrays.

usage: python -m export.client MODE --url=http://HOST:PORT --out=FILE.png
       [--name=value ...]

MODE is one of
  decode       x, the mean of p(x|z), of the codes in --z
  sample       z ~ p(z) and x, a draw for each seed
  encode       loc and scale of q(z|x), of --images
  reconstruct  x at the mean of q(z|x), of --images
  score        elbo, log_likelihood and kl in nats, of --images
  status       the versions of the models, and the states they are in

A server's refusal or failure is one line and exit status 1."""

MODELS = ("decoder", "vae")
ROWS_A_REQUEST = 64  # where the model does not say what it takes


def main(argv: list[str]) -> int:
    """Reads the command line, asks, and returns the exit status."""
    asked = flags.parse_as(Request, argv, summary=SUMMARY, positional="mode")
    if asked.mode != "status":
        check_folder(asked.out)
    from export.client.errors import ClientError
    from export.client.synchronous import Client

    try:
        with Client(
            asked.url,
            model=asked.model,
            version=None if asked.version == "latest" else int(asked.version),
            version_label=asked.version_label,
            timeout=asked.timeout,
            headers=asked.headers,
            ca=asked.ca,
            cert=asked.cert,
            key=asked.key,
        ) as client:
            if asked.wait:
                client.wait_ready(timeout=asked.wait)
            run = print_status if asked.mode == "status" else write
            run(client, asked)
    except ClientError as error:
        raise FailedError(str(error)) from error
    return program.DONE


def print_status(client: "Client", asked: Request) -> None:
    """Prints the versions of the models, a line each.

    Raises:
      ClientError: the server has none of the models.
    """
    from export.client.errors import NotFound

    lines, missing = [("model", "version", "state", "reason")], None
    for model in [asked.model] if asked.model else MODELS:
        try:
            found = client.status(model=model)
        except NotFound as error:
            missing = error
            continue
        lines += [
            (
                model,
                str(status.version),
                status.state,
                " ".join(status.message.split()),
            )
            for status in found
        ]
    if missing is not None and len(lines) == 1:
        raise missing
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        padded = map(str.ljust, line, widths)
        print("  ".join(padded).rstrip())


def write(client: "Client", asked: Request) -> None:
    """Asks for what is wanted, and writes it.

    Raises:
      InputError: what is asked for does not go with the model, or the file
        cannot be written.
      ClientError: there is no good answer.
    """
    from export.client import checks
    from export.client.calls import MODEL
    from export.client.calls import MODELS as OF_SIGNATURES
    from export.client.rows import Rows

    model = asked.model or OF_SIGNATURES.get(asked.mode, MODEL)
    rows = Rows(client.metadata(model=model), asked.mode, asked)
    # All of them, before the first is sent.
    inputs = checks.checked(rows.servable, asked.mode, rows.arrays())
    num_rows = len(next(iter(inputs.values())))
    make = {".png": _picture, ".npz": _archive}[asked.ending]
    if asked.ending == ".png":
        _check_picture(rows, num_rows)
    content = make(client, rows, inputs)
    try:
        atomic.write_whole(asked.out, lambda file: file.write(content))
    except OSError as error:
        raise InputError(
            f"`out` {asked.out} cannot be written: "
            f"{error.strerror or error}; give another."
        ) from error
    print(f"written: {asked.out}")


def _archive(client: "Client", rows: "Rows", inputs: "Arrays") -> bytes:
    """Returns an npz file of inputs and outputs."""
    import numpy as np

    file = io.BytesIO()
    arrays: dict[str, Any] = {**inputs, **_ask(client, rows, inputs)}
    np.savez(file, **arrays)
    return file.getvalue()


def _picture(client: "Client", rows: "Rows", inputs: "Arrays") -> bytes:
    """Returns a PNG file: the one that is served, or a grid of several."""
    name = f"{rows.asked.mode}_png"
    num_rows = len(next(iter(inputs.values())))
    if num_rows == 1 and name in rows.servable.signatures:
        found = client.predict(name, inputs, model=rows.servable.name)
        return found["png_bytes"][0]
    x = _ask(client, rows, inputs)["x"]
    from tfvae import plots

    if rows.asked.mode == "reconstruct":
        num_columns = math.ceil(math.sqrt(2 * num_rows))
        figure = plots.reconstructions(inputs["x"], x, num_columns)
    else:
        num_columns = math.ceil(math.sqrt(num_rows))
        title = f"{rows.asked.mode} of {rows.servable.name}"
        figure = plots.image_grid(x, num_columns, title)
    return plots.png_bytes(figure)


def _check_picture(rows: "Rows", num_rows: int) -> None:
    x = rows.signature.outputs.get("x")
    if x is None or len(x.shape or ()) != 4:
        raise InputError(
            "the model's data are vectors, of which there is no picture; give "
            "--out=FILE.npz."
        )
    if num_rows > MOST_SHOWN:
        raise InputError(
            f"a picture shows at most {MOST_SHOWN:,} images; got "
            f"{num_rows:,}; give --out=FILE.npz."
        )


def _ask(client: "Client", rows: "Rows", inputs: "Arrays") -> "Arrays":
    """Returns the outputs of all rows, asked for in batches."""
    from export.client import answers, checks, progress

    most = (rows.servable.card or {}).get("max_batch_size", ROWS_A_REQUEST)
    parts = list(checks.split(rows.signature, inputs, most))
    found = client.predict_all(
        rows.signature.name,
        parts,
        model=rows.servable.name,
        num_concurrent=rows.asked.num_concurrent,
    )
    sizes = [len(next(iter(part.values()))) for part in parts]
    shown = progress.shown(
        zip(sizes, found, strict=True), total=sum(sizes), what=rows.asked.mode
    )
    return answers.joined(list(shown))


if __name__ == "__main__":
    sys.argv[0] = "export.client"
    program.run_main(main, stopped="stopped.")
