"""From settings to a trained model, without a run folder."""

from tfvae import build, resolve, training
from tfvae.config import Config
from tfvae.data import pipeline
from tfvae.data.load import load_data
from tfvae.data.split import Splits
from tfvae.learner import Learner


def train(config: Config) -> Learner:
    """Returns a trained model."""
    return fit(config, load_data(config))[0]


def fit(
    config: Config, splits: Splits
) -> tuple[Learner, dict[str, list[float]]]:
    """Returns a trained model and its logs."""
    split = splits.train
    config = resolve.resolve(
        config, splits.spec, num_examples=split.num_examples, num_replicas=1
    )
    model = build.build_model(
        config,
        splits.spec,
        num_examples=split.num_examples,
        examples=lambda num: training.first_examples(config, split, num),
        mean=split.mean(),
    )
    history = model.fit(
        pipeline.train_batches(
            split, config.batch_size, seed=config.seed, num_epochs=config.epochs
        ),
        epochs=config.epochs,
        steps_per_epoch=resolve.steps_per_epoch(config, split.num_examples),
        validation_data=pipeline.eval_batches(
            splits.validation, config.batch_size, seed=config.seed
        ),
        verbose=0,
    )
    return model, history.history
