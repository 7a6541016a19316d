"""Searches settings with keras-tuner: python -m tuning.search --help."""

import contextlib
import dataclasses
import gc
import shlex
from typing import TYPE_CHECKING, Any

from tfvae import flags, program
from tfvae.config import Config
from tfvae.errors import InputError, TrainingError
from tuning.request import Search

if TYPE_CHECKING:  # TensorFlow takes seconds to load, and --help must not wait
    from tuning.folder import SearchDir
    from tuning.hypermodel import VAEHyperModel
    from tuning.plan import Plan
    from tuning.results import Result
    from tuning.tuners import TfKerasTuner

SUMMARY = """Searches the settings of a variational autoencoder.

usage: python -m tuning.search --directory=D [--name=value ...]

By default latent_dim and C are searched, and trials are compared by the nll of
held-out data. A search that is there already is gone on with, with its own
settings. README says what is written where."""

# None: as many as the algorithm asks for.
AUTO_TRIALS = {"random": 20, "bayesian": 20, "hyperband": None, "grid": None}


def main(argv: list[str]) -> int:
    """Reads the command line, searches, and returns the exit status."""
    line = flags.parse(Search, argv, summary=SUMMARY, title="Search:")
    asked = line.launch
    if not asked.directory:
        raise InputError(
            "`directory` must name the folder of the search; give "
            "--directory=D."
        )
    with program.quiet_start():
        program.start_tensorflow(asked.num_virtual_devices)
        from tuning import folder, plan, workers
    workers.set_environment(asked.role, asked.chief, asked.worker_id)
    search_dir = folder.SearchDir(asked.directory)
    search_dir.prepare()
    shared = workers.is_worker()  # with the chief, who holds the folder
    with contextlib.nullcontext() if shared else search_dir.hold():
        held = None if asked.overwrite else search_dir.read_plan()
        try:
            status = run(
                plan.make_plan(line, held, directory=asked.directory),
                asked,
                search_dir,
            )
        except InputError:
            search_dir.remove_if_empty()
            raise
    if status != program.DONE:
        again = dataclasses.replace(asked, overwrite=False, config="", space="")
        print(f"go on with:\n  python -m tuning.search {flags.to_argv(again)}")
    return status


def run(plan: "Plan", asked: Search, search_dir: "SearchDir") -> int:
    """Runs a search from where it stands to its end.

    Args:
      plan: what is searched, and how trials are compared.
      asked: how the search is launched.
      search_dir: its folder.

    Returns:
      The exit status.

    Raises:
      InputError: settings that do not fit the data or each other.
      TrainingError: no trial was completed, or too many failed in a row.
    """
    import tensorflow as tf

    from tfvae import strategy
    from tfvae.callbacks import Interrupted
    from tuning import objective, workers
    from tuning.hypermodel import VAEHyperModel

    tf.config.experimental.enable_op_determinism()
    hypermodel = VAEHyperModel(
        plan.base,
        plan.space,
        protocol=plan.protocol,
        strategy=strategy.make_strategy(asked.strategy),
    )
    objective.check(plan.objective, plan.base, plan.space)
    hypermodel.check()
    # The libraries and the data stay; looking through them for garbage each
    # time that a model is dropped would take half a second.
    gc.collect()
    gc.freeze()
    if not workers.is_worker():
        if asked.overwrite:
            search_dir.clear()
        search_dir.write_plan(plan)
    tuner = _make_tuner(plan, asked, search_dir, hypermodel)
    print(_summary(plan, hypermodel), flush=True)
    try:
        _search(plan, search_dir, tuner)
    except (Interrupted, KeyboardInterrupt) as interrupted:
        name = str(interrupted) or "SIGINT"
        print(f"stopped by {name}; all that was learned is saved.")
        return program.STATUS_OF_SIGNAL[name]
    if workers.is_worker():
        print("no trial is left for this worker.")
        return program.DONE
    return _finish(plan, asked, search_dir, tuner)


def _make_tuner(
    plan: "Plan",
    asked: Search,
    search_dir: "SearchDir",
    hypermodel: "VAEHyperModel",
) -> "TfKerasTuner":
    from tuning import folder, tuners

    most: Any = plan.max_trials
    if most == "auto":
        most = AUTO_TRIALS[plan.algorithm]
    settings_of: dict[str, dict[str, Any]] = {
        "hyperband": {"max_epochs": plan.base.epochs, "factor": plan.factor}
    }
    return tuners.ALGORITHMS[plan.algorithm](
        hypermodel,
        objective=plan.objective,
        directory=search_dir.path,
        project_name=folder.TUNER,
        worker_timeout=asked.worker_timeout,
        max_trials=most,
        **settings_of.get(plan.algorithm, {}),
    )


def _search(
    plan: "Plan", search_dir: "SearchDir", tuner: "TfKerasTuner"
) -> None:
    """Runs the trials that are left; each that ends is in the table at once."""
    from tuning import folder, hparams, progress, workers

    def note(result: "Result") -> None:
        if not workers.is_worker():
            search_dir.write_results(tuner.results(), plan)
            hparams.write_trial(
                search_dir.file(folder.BOARD), result, plan.space
            )

    with progress.Progress(
        objective=plan.objective,
        direction=plan.direction,
        num_trials=None if workers.is_worker() else tuner.num_trials(),
        num_epochs=plan.base.epochs,
        known=[] if workers.is_worker() else tuner.ended(),
        on_result=note,
    ) as shown:
        tuner.reporter = shown
        tuner.search(callbacks=[shown.callback()])


def _finish(
    plan: "Plan", asked: Search, search_dir: "SearchDir", tuner: "TfKerasTuner"
) -> int:
    """Trains the best settings again; writes the report; returns the status."""
    from tfvae import strategy, train
    from tuning import folder, page

    results = tuner.results()
    best = search_dir.write_results(results, plan)
    if best is None or tuner.oracle.given_up:
        told = tuner.oracle.given_up or "no trial was completed"
        table = search_dir.file(folder.TRIALS)
        raise TrainingError(f"{told}; {table} says why each failed.")
    config = Config(**search_dir.trial_run(best.trial).read_settings())
    if asked.retrain_epochs != "auto":
        epochs = int(asked.retrain_epochs)
        config = dataclasses.replace(config, epochs=epochs)
    run_dir = search_dir.best_run()
    run_dir.prepare()
    held = run_dir.holds_run() and Config(**run_dir.read_settings())
    print(f"the best, trial {best.trial}, is trained again")
    status = train.run(
        config,
        run_dir,
        strategy.make_strategy(asked.strategy),
        overwrite=bool(held and config.differences(held)),
    )
    if status != program.DONE:
        return status
    path = page.write(
        search_dir.file(folder.REPORT),
        results,
        space=plan.space,
        objective=plan.objective,
        direction=plan.direction,
        title=f"{plan.base.dataset}: search",
        commands=_next_commands(search_dir),
    )
    print(f"report: {path}")
    return program.DONE


def _next_commands(search_dir: "SearchDir") -> dict[str, str]:
    """Returns {what for: command} of what one does with a search."""
    from tuning import folder

    best = shlex.quote(search_dir.best_run().path)
    config = shlex.quote(search_dir.file(folder.BEST, "config.json"))
    board = shlex.quote(search_dir.file(folder.BOARD))
    return {
        "measure the best run on the test set": "python -m tfvae.evaluate "
        f"--run_dir={best}",
        "look at it": f"python -m tfvae.report --run_dir={best}",
        "train its settings for longer": f"python -m tfvae.train "
        f"--config={config} --epochs=100",
        "all trials in TensorBoard's HParams": f"tensorboard --logdir={board}",
    }


def _summary(plan: "Plan", hypermodel: "VAEHyperModel") -> str:
    """Returns what is searched and how trials are compared, a line each."""
    protocol = hypermodel.protocol
    lines = [
        f"data: {plan.base.dataset}, "
        f"{hypermodel.splits.validation.num_examples:,} validation examples",
        *(f"search: {d.name}, {d.text()}" for d in plan.space.dimensions),
        f"algorithm: {plan.algorithm}, {plan.base.epochs} epochs",
        f"compared by: {plan.objective}"
        + (
            f", {protocol.num_samples} draws for each of "
            f"{len(hypermodel.validation):,} validation examples"
            if plan.objective == "nll"
            else ""
        ),
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    program.run_main(main)
