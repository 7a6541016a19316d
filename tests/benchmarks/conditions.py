"""What conditional models are worth, by judges that are not ours.

python -m tests.benchmarks.conditions label RUN_DIR [DATA_DIR]
    Of 100 generated images a class, the share that a k-NN and a logistic
    regression, fitted to real images alone, give to their class.
python -m tests.benchmarks.conditions mask RUN_DIR [DATA_DIR]
    Of 1,000 test images with half hidden: are seen pixels kept to the bit, do
    completions differ, and the error of the mean of 64 of them on hidden pixels
    beside probabilistic PCA with as many components.
"""

import dataclasses
import sys

import numpy as np
from sklearn import linear_model, neighbors

from tfvae import baselines, examples
from tfvae.data.load import load_data
from tfvae.generation import makers
from tfvae.run_dir import Run, load_run

NUM_CLASSES, NUM_A_CLASS = 10, 100
NUM_IMAGES, NUM_COMPLETIONS = 1000, 64
NUM_FITTED = 20_000  # of the logistic regression and of PCA
HALVES = ("left", "right", "top", "bottom")


def main(which: str, run_dir: str, data_dir: str = "") -> None:
    """Prints the figures of one run."""
    run = load_run(run_dir)
    if data_dir:
        config = dataclasses.replace(run.config, data_dir=data_dir)
        run = dataclasses.replace(run, config=config)
    {"label": judge_classes, "mask": judge_completions}[which](run)


def judge_classes(run: Run) -> None:
    """Prints how often a generated image is taken for one of its class."""
    splits = load_data(run.config)
    train, test = (
        examples.load_examples(run.config, split)
        for split in (splits.train, splits.test)
    )
    label = np.repeat(np.arange(NUM_CLASSES), NUM_A_CLASS)
    generated = {
        seed: run.model.sample(
            len(label), seed=seed, condition={"label": label}
        ).numpy()
        for seed in range(3)
    }
    judges = {
        "4 nearest neighbours": (
            neighbors.KNeighborsClassifier(4, weights="distance"), len(train)
        ),
        "logistic regression": (
            linear_model.LogisticRegression(max_iter=2000), NUM_FITTED
        ),
    }  # fmt: skip
    for name, (judge, num) in judges.items():
        judge.fit(_flat(train.x[:num]), train.labels[:num])
        own = judge.score(_flat(test.x), test.labels)
        shares = [judge.score(_flat(x), label) for x in generated.values()]
        listed = ", ".join(f"{share:.1%}" for share in shares)
        print(f"{name}: real test images {own:.1%}; generated, seeds 0 to 2: "
              f"{listed}")  # fmt: skip


def judge_completions(run: Run) -> None:
    """Prints errors on hidden pixels, for each half that is seen."""
    splits = load_data(run.config)
    train = examples.load_examples(
        run.config, splits.train, num_examples=NUM_FITTED
    )
    print("| seen | kept to the bit | smallest difference | mse, mean of "
          f"{NUM_COMPLETIONS} | mse, PCA |")  # fmt: skip
    print("| --- | --- | --- | --- | --- |")
    for mask_name in HALVES:
        shown = examples.load_examples(
            run.config, splits.test, num_examples=NUM_IMAGES, mask=mask_name
        )
        print(_row(run, mask_name, train.x, shown), flush=True)


def _row(
    run: Run, name: str, train: np.ndarray, shown: examples.Examples
) -> str:
    x, mask = shown.x, shown.condition["mask"]
    hidden = np.broadcast_to(mask < 0.5, x.shape)
    total, kept, smallest = np.zeros_like(x, dtype=np.float64), True, np.inf
    for start in range(0, len(x), 100):
        rows = slice(start, start + 100)
        completions = makers.inpaint(
            run.model, x[rows], mask[rows], num=NUM_COMPLETIONS, seed=0
        ).more["completions"]  # [100, num, ...]
        total[rows] = completions.mean(axis=1, dtype=np.float64)
        seen = ~hidden[rows][:, np.newaxis]
        equal = completions == x[rows][:, np.newaxis]
        kept &= bool(np.where(seen, equal, True).all())
        ten = completions[:, :10].reshape(len(completions), 10, -1)
        gaps = np.abs(ten[:, :, None] - ten[:, None]).max(axis=-1)
        gaps[:, range(10), range(10)] = np.inf
        smallest = min(smallest, gaps.min())
    imputed = baselines.pca_impute(
        train, x, mask, latent_dim=run.config.latent_dim
    )
    ours, theirs = (
        np.square(x - completed)[hidden].mean()
        for completed in (total, imputed)
    )
    return f"| {name} | {kept} | {smallest:.3f} | {ours:.4f} | {theirs:.4f} |"


def _flat(x: np.ndarray) -> np.ndarray:
    return x.reshape(len(x), -1)


if __name__ == "__main__":
    main(*sys.argv[1:])
