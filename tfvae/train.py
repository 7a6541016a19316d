"""Trains a variational autoencoder: python -m tfvae.train --help."""

import contextlib
import dataclasses
import functools
import io
import time
from typing import TYPE_CHECKING

from tfvae import flags, membership, program
from tfvae.config import Config
from tfvae.errors import InputError

if TYPE_CHECKING:  # TensorFlow takes seconds to load, and --help must not wait
    import tensorflow as tf

    from tfvae.data.split import Splits
    from tfvae.learner import Learner
    from tfvae.profiling.profile import Profile
    from tfvae.recorder import Recorder
    from tfvae.run_dir import RunDir

SUMMARY = """Trains a variational autoencoder.

usage: python -m tfvae.train [--name=value ...]

A run folder that is there already is resumed, with its own settings."""


def main(argv: list[str]) -> int:
    """Reads the command line, trains, and returns the exit status."""
    line = flags.parse(flags.Launch, argv, summary=SUMMARY)
    launch = line.launch
    job = membership.job_of(launch)
    with program.quiet_start():
        program.start_tensorflow(
            launch.num_virtual_devices, uses_devices=job is None
        )
        from tfvae import strategy as strategy_lib
    config, path = _settings_and_path(line)
    if job is None:
        strategy = strategy_lib.make_strategy(launch.strategy)
        return _run_in(path, config, strategy, launch)
    strategy, config = membership.join(
        job, given=line.given, config=config, timeout=launch.worker_timeout
    )
    with contextlib.ExitStack() as stack:
        stack.enter_context(strategy_lib.noticing_lost_workers())
        if not job.is_chief:  # who speaks for all
            stack.enter_context(contextlib.redirect_stdout(io.StringIO()))
        return _run_in(path, config, strategy, launch, writes=job.is_chief)


def _run_in(
    path: str,
    config: Config,
    strategy: "tf.distribute.Strategy",
    launch: flags.Launch,
    *,
    writes: bool = True,
) -> int:
    """Runs what is left of the run in a folder; returns the exit status."""
    from tfvae.run_dir import RunDir

    run_dir = RunDir(path, writes=writes)
    run_dir.prepare()
    with run_dir.hold():
        try:
            status = run(
                config, run_dir, strategy,
                overwrite=launch.overwrite, profiled=launch.profile,
            )  # fmt: skip
        except InputError:
            run_dir.remove_if_empty()
            raise
    if status != program.DONE and launch.strategy != membership.MULTI_WORKER:
        again = dataclasses.replace(
            launch, run_dir=path, overwrite=False, config=""
        )
        print(f"go on with:\n  python -m tfvae.train {flags.to_argv(again)}")
    return status


def run(
    config: Config,
    run_dir: "RunDir",
    strategy: "tf.distribute.Strategy",
    *,
    overwrite: bool = False,
    profiled: bool = False,
) -> int:
    """Trains one run, from where it stands to its end.

    Args:
      config: of the run; "auto" values are allowed.
      run_dir: prepared; what it holds of this run is gone on with.
      strategy: the run is built and trained under it.
      overwrite: remove a run that the folder holds, once the settings and the
        data are known to be good.
      profiled: say where an epoch's time goes.

    Returns:
      The exit status.

    Raises:
      InputError: the settings do not fit the data, the replicas or the run
        that the folder holds.
      TrainingError: a quantity is no longer finite.
    """
    import tensorflow as tf

    from tfvae import resolve, summary
    from tfvae.data.load import load_data
    from tfvae.workers import Workers

    tf.config.experimental.enable_op_determinism()
    splits = load_data(config)
    config = resolve.resolve(
        config,
        splits.spec,
        num_examples=splits.train.num_examples,
        num_replicas=strategy.num_replicas_in_sync,
    )
    workers = Workers(strategy)
    if workers.is_chief:
        if overwrite:
            run_dir.clear()
        _check_same_run(config, run_dir)
    is_complete = workers.is_chief and run_dir.is_complete()
    if workers.largest(int(is_complete)):
        print(f"the run is complete: {run_dir}  {_next_command(run_dir)}")
        return program.DONE
    run_dir.write_config(config, splits.spec, **summary.sizes(splits))
    model, recorder = _build(config, splits, run_dir, strategy)
    print(
        summary.of_run(config, model, splits, strategy.num_replicas_in_sync),
        flush=True,
    )
    return _learn(config, model, splits, recorder, profiled=profiled)


def _learn(
    config: Config,
    model: "Learner",
    splits: "Splits",
    recorder: "Recorder",
    *,
    profiled: bool,
) -> int:
    """Trains the epochs that are left and measures; returns the exit status."""
    from tfvae import callbacks, training
    from tfvae.finish import finish

    run_dir, is_chief = recorder.run_dir, recorder.workers.is_chief
    profile = _make_profile(config, recorder) if profiled else None
    try:
        with contextlib.ExitStack() as stack:
            display = training.display(config, model, splits, recorder)
            told = stack.enter_context(display) if is_chief else []
            training.fit(config, model, splits, recorder, told, profile=profile)
        if profile:
            print(profile.write(), flush=True)
        finish(config, model, splits, recorder)
    except (callbacks.Interrupted, KeyboardInterrupt) as interrupted:
        name = str(interrupted) or "SIGINT"
        print(f"stopped by {name}; all that was learned is saved.")
        return program.STATUS_OF_SIGNAL[name]
    print(f"run folder: {run_dir}  {_next_command(run_dir)}")
    return program.DONE


def _settings_and_path(
    line: flags.CommandLine[flags.Launch],
) -> tuple[Config, str]:
    """Returns the run's settings, and its folder.

    Precedence: default, the folder's config.json, --config, a flag.
    """
    from tfvae.run_dir import RunDir

    launch = line.launch
    known = {}
    if launch.run_dir and not launch.overwrite:
        run_dir = RunDir(launch.run_dir)
        known = run_dir.read_settings() if run_dir.holds_run() else {}
        if "beta" in line.given:
            known.pop("C", None)  # beta says what C is
    config = Config(**known | line.given)
    return config, launch.run_dir or default_run_dir(config)


def default_run_dir(config: Config) -> str:
    """Returns the path of a run's folder where none is given."""
    name = config.dataset.replace(":", "-").replace("/", "-").strip("-")
    stamp = time.strftime("%Y%m%d-%H%M%S")
    return f"runs/{name}-{stamp}"


def _check_same_run(config: Config, run_dir: "RunDir") -> None:
    if not run_dir.holds_run():
        return
    held = Config(**run_dir.read_settings())
    differences = [
        f"{name}={theirs} there, {own} asked for"
        for name, (own, theirs) in config.differences(held).items()
    ]
    if differences:
        raise InputError(
            f"`run_dir` {run_dir} holds a run of another configuration "
            f"({'; '.join(differences)}); give another folder, or --overwrite "
            "to start anew."
        )


def _build(
    config: Config,
    splits: "Splits",
    run_dir: "RunDir",
    strategy: "tf.distribute.Strategy",
) -> tuple["Learner", "Recorder"]:
    """Returns the model, in the state that the folder holds of it."""
    from tfvae import build, resolve, training
    from tfvae.recorder import Recorder

    train = splits.train
    steps = resolve.steps_per_epoch(config, train.num_examples)
    with strategy.scope():
        model = build.build_model(
            config,
            splits.spec,
            num_examples=train.num_examples,
            examples=lambda num: training.first_examples(config, train, num),
            mean=train.mean(),
        )
    recorder = Recorder(
        model,
        run_dir,
        num_examples=train.num_examples,
        steps_per_epoch=steps,
        counts=functools.partial(training.is_warmed_up, config),
    )
    return model, recorder


def _make_profile(config: Config, recorder: "Recorder") -> "Profile":
    from tfvae.profiling.profile import Profile

    return Profile(
        recorder.run_dir,
        num_examples=recorder.num_examples,
        steps_per_epoch=recorder.steps_per_epoch,
        num_epochs=config.epochs,
    )


def _next_command(run_dir: "RunDir") -> str:
    return f"next: python -m tfvae.evaluate --run_dir={run_dir}"


if __name__ == "__main__":
    program.run_main(main)
