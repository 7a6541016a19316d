"""Publishes a trained run for serving: python -m export.saved_model --help."""

import contextlib
import dataclasses
import functools
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from export import interruption
from tfvae import flags, program
from tfvae.errors import FailedError, InputError
from tfvae.settings import setting

if TYPE_CHECKING:  # TensorFlow takes seconds to load, and --help must not wait
    import numpy as np

    from export.batching import BatchingParameters
    from export.publishing import ExportDir
    from export.version import Report
    from tfvae.examples import Examples
    from tfvae.run_dir import Run

SUMMARY = """Publishes a trained run as SavedModels for TensorFlow Serving.

usage: python -m export.saved_model --run_dir=R --export_dir=E [--name=...]

Writes E/decoder/<version> and E/vae/<version>. A version is verified in a
fresh process before it appears, whole, by one rename. E/compose.yaml and
python -m export.serve start a server of it."""
PARTS = "decoder,vae"
STOPPED = "stopped; only what stands above was published."
NUM_EXAMPLES = 1000  # held-out, of which the KL of each latent is the mean


@dataclasses.dataclass(frozen=True)
class Export:
    """Settings of an export.

    Raises:
      InputError: a value is of the wrong type or out of bounds.
    """

    run_dir: str = setting("", "folder of the run")
    export_dir: str = setting("", "folder to publish in")
    version: int = setting(
        0,
        "number of the new version, above all that were published there; 0: "
        "the next one",
        number=int, minimum=0, maximum=2**63 - 1,
    )  # fmt: skip
    keep: int = setting(
        0,
        "how many of the newest versions stay, beside those that models.config "
        "names or, with --url, a server has loaded; 0: all",
        number=int, minimum=0,
    )  # fmt: skip
    url: str = setting(
        "", "of the server that serves the folder, to be asked with --keep"
    )
    parts: str = setting(
        PARTS,
        "what to publish, under one number",
        words=(PARTS, *PARTS.split(",")),
    )
    weights: str = setting(
        "best",
        "of the epoch with the best validation, or the last",
        words=("best", "last"),
    )
    data_dir: str = setting(
        "", "where TFDS keeps prepared data; empty: as the run was trained"
    )
    tune_batching: bool = setting(
        False,
        "choose how requests are joined by measuring, for about a minute a "
        "part, this machine's CPU; for other machines it says nothing",
        is_switch=True,
    )


def main(argv: list[str]) -> int:
    """Reads the command line, publishes, and returns the exit status."""
    asked = flags.parse_as(Export, argv, summary=SUMMARY)
    if not asked.run_dir:
        raise program.missing_run_dir()
    if not asked.export_dir:
        raise InputError(
            "`export_dir` must name the folder to publish in; give "
            "--export_dir=E."
        )
    return interruption.run(lambda: _export(asked), stopped=STOPPED)


def _export(asked: Export) -> int:
    # A signal while libraries load would show as an error of theirs.
    with interruption.held(), program.quiet_start():
        program.start_tensorflow()
        from tfvae import run_dir
    run = run_dir.load_run(asked.run_dir, which=asked.weights)
    export_run(run, asked)
    return program.DONE


def export_run(run: "Run", asked: Export) -> int:
    """Publishes a run, verified, and prints what was published.

    Args:
      run: trained.
      asked: where, and which parts.

    Returns:
      version: its number.

    Raises:
      InputError: a folder that cannot be written, a damaged file there, or a
        used number.
      FailedError: a SavedModel that is not what it should be, or a full disk;
        says what was published.
    """
    from export import locking, models_config, serving_config
    from export.publishing import ExportDir

    parts = asked.parts.split(",")
    export_dir = ExportDir(asked.export_dir)
    with locking.alone(export_dir):
        models_config.read(asked.export_dir)  # else it is refused at the end
        version = _publish(run, asked, export_dir)
        with _published(version):
            serving_config.write(asked.export_dir, names=tuple(parts))
            _prune(export_dir, parts, asked)
    print(_next(asked.export_dir, parts, version))
    return version


def _publish(run: "Run", asked: Export, export_dir: "ExportDir") -> int:
    """Writes, verifies and publishes a version; returns its number."""
    from export import card as card_lib
    from export.version import MAX_BATCH_SIZE, write_version

    def tell(version: int) -> None:
        for part in staging.folders:
            print(f"published: {export_dir.file(part, str(version))}")

    examples, kl_per_dim = _held_out(run, asked)
    card = card_lib.make_card(
        run, kl_per_dim=kl_per_dim, max_batch_size=MAX_BATCH_SIZE
    )
    with export_dir.stage(asked.parts.split(",")) as staging:
        for part, folder in staging.folders.items():
            start = time.monotonic()
            report = write_version(
                folder,
                run,
                part,
                card=card,
                examples=examples,
                tune=_tune if asked.tune_batching else None,
            )
            print(_line(part, report, time.monotonic() - start), flush=True)
        return staging.publish(asked.version, tell=tell)


@contextlib.contextmanager
def _published(version: int) -> Iterator[None]:
    """Says, where its block cannot write, that a version is there already."""
    try:
        yield
    except OSError as error:
        raise FailedError(
            f"version {version} was published, but not all beside it was "
            f"written, which the next export does: {error}"
        ) from error


def _tune(folder: str) -> "BatchingParameters":
    """Returns how requests to a version are joined best, and prints why."""
    from export import batching_sweep
    from export.version import PARAMETERS

    return batching_sweep.tune(
        folder, PARAMETERS, tell=functools.partial(print, flush=True)
    )


def _next(export_dir: str, parts: list[str], version: int) -> str:
    """Returns what to do now that a version is there."""
    if all(version in _named(export_dir, part) for part in parts):
        return f"serve it:  python -m export.serve --export_dir={export_dir}"
    return (
        "not served yet: python -m export.rollout promote (or canary) "
        f"--export_dir={export_dir} --url=http://HOST:PORT, or --offline "
        "where no server runs"
    )


def _held_out(
    run: "Run", asked: Export
) -> tuple["Examples", "np.ndarray | None"]:
    """Returns held-out examples and the KL of each latent, if it is known."""
    from tfvae.data.load import load_data
    from tfvae.examples import load_examples
    from tfvae.metrics import decoding

    config = run.config
    if asked.data_dir:
        config = dataclasses.replace(config, data_dir=asked.data_dir)
    try:
        splits = load_data(config)
    except InputError as error:
        print(f"note: without the data, so the latents have no order: {error}")
        return _stand_ins(run), None
    examples = load_examples(
        config, splits.validation, num_examples=NUM_EXAMPLES, seed=config.seed
    )
    return examples, decoding.kl_per_dim(
        run.model, examples.x, examples.condition
    )


def _stand_ins(run: "Run") -> "Examples":
    """Returns noise in the place of data, on which outputs are compared."""
    import numpy as np

    from export.parity import ROWS
    from tfvae.examples import Examples

    rng = np.random.default_rng(0)
    x = rng.uniform(size=[ROWS, *run.spec.event_shape]).astype(np.float32)
    mask = rng.integers(0, 2, [*x.shape[:-1], 1]).astype(np.float32)
    classes = rng.integers(0, run.model.condition.num_classes or 1, ROWS)
    values = {"label": classes, "image": x * mask, "mask": mask}
    needed = run.model.condition.inputs
    return Examples(x, None, {name: values[name] for name in needed})


def _prune(export_dir: "ExportDir", parts: list[str], asked: Export) -> None:
    """Removes old versions, but for those that are, or can be, in use."""
    for part in parts if asked.keep else ():
        in_use = _named(asked.export_dir, part) | _loaded(asked.url, part)
        for version in export_dir.prune(part, keep=asked.keep, but=in_use):
            print(f"removed:   {export_dir.file(part, str(version))}")


def _named(export_dir: str, part: str) -> set[int]:
    """Returns the versions of a part that models.config names."""
    from export import models_config

    models = models_config.read(export_dir).model_config_list.config
    named: set[int] = set()
    for model in models:
        if model.name == part:
            named.update(models_config.served(model))
            named.update(model.version_labels.values())
    return named


def _loaded(url: str, part: str) -> set[int]:
    """Returns the versions of a part that a server holds."""
    from export.client import Client, ClientError
    from export.client.status import END

    if not url:
        return set()
    try:
        with Client(url, model=part) as client:
            return {s.version for s in client.status() if s.state != END}
    except ClientError as error:
        raise FailedError(
            f"{url} does not say which versions it holds ({error}), so none "
            "was removed."
        ) from error


def _line(part: str, report: "Report", seconds: float) -> str:
    worst = max(report.differences.values())
    return (
        f"{part}: {report.total_bytes / 2**20:.2f} MiB "
        f"({report.total_bytes / report.weights_bytes:.3f} of its weights), "
        f"{report.num_operations:,} operations; verified in a fresh process: "
        f"{len(report.differences)} signatures, largest difference to the run "
        f"{worst:.2g}, {report.num_warmup_records} warm-up requests; "
        f"{seconds:.1f} s"
    )


if __name__ == "__main__":
    program.run_main(main, stopped=STOPPED)
