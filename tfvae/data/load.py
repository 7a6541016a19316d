"""load_data(config): from a name to divided, checked examples."""

from collections.abc import Callable

import tensorflow as tf

from tfvae.config import Config
from tfvae.data import arrays, files, images, sprites, streams
from tfvae.data.preparation import Preparation
from tfvae.data.sources import PARTS, random_parts
from tfvae.data.split import Splits
from tfvae.errors import InputError

# The imports below take seconds, so each waits until its data set is asked for.


def _digits(_: str, preparation: Preparation) -> Splits:
    from tfvae.data import embedded

    return arrays.to_splits(embedded.digits(), preparation)


def _tfds(_: str, preparation: Preparation) -> Splits:
    from tfvae.data import tfds

    image_set = tfds.image_set(preparation.name, preparation.data_dir)
    return streams.to_splits(
        {part: image_set.records(part) for part in PARTS},
        image_set.decoder(preparation),
        {part: size for part, (_, size) in image_set.parts.items()},
        preparation.image_shape(image_set.image_shape),
        image_set.num_classes,
        preparation,
    )


def _npz(path: str, preparation: Preparation) -> Splits:
    source = files.npz(path, most_bytes=preparation.max_resident_bytes)
    return arrays.to_splits(source, preparation)


def _images(directory: str, preparation: Preparation) -> Splits:
    folder = files.image_folder(directory)
    parts = random_parts(folder.paths, folder.labels)
    if not all(len(paths) for paths, _ in parts.values()):
        raise InputError(
            f"`dataset` {preparation.name} holds {len(folder.paths)} images; "
            "give at least 3."
        )
    shape = preparation.image_shape(folder.shape)
    return streams.to_splits(
        {
            part: tf.data.Dataset.from_tensor_slices(
                {"path": paths, "label": labels}
            )
            for part, (paths, labels) in parts.items()
        },
        files.decoder(folder.shape[-1], preparation),
        {part: len(paths) for part, (paths, _) in parts.items()},
        shape,
        folder.num_classes,
        preparation,
    )


def _synthetic(_: str, preparation: Preparation) -> Splits:
    from tfvae.data import synthetic

    make = getattr(synthetic, preparation.name)
    return arrays.to_splits(make(), preparation)


def _sprites(_: str, preparation: Preparation) -> Splits:
    return arrays.to_splits(sprites.sprites(), preparation)


LOADERS: dict[str, Callable[[str, Preparation], Splits]] = {
    "digits": _digits,
    "ring": _synthetic,
    "pinwheel": _synthetic,
    "linear_gaussian": _synthetic,
    "density1d": _synthetic,
    "sprites": _sprites,
    "npz": _npz,
    "images": _images,
}
SCHEMES = ("npz", "images")  # followed by a path


def load_data(config: Config) -> Splits:
    """Loads the data set that `config.dataset` names.

    Images land in [0, 1] by the source's own range; vectors of floats stay as
    they are. Data up to `config.max_resident_mb` are held in memory, larger
    ones stream from disk.

    Raises:
      InputError: no such data set, or data that no model can take; names what
        is wrong and what to do.
    """
    preparation = Preparation(
        name=config.dataset,
        data_dir=config.data_dir,
        image_size=config.image_size,
        grayscale=config.grayscale,
        binarize=config.binarize,
        seed=config.seed,
        dequantize=config.dequantize,
        max_resident_bytes=config.max_resident_mb * 2**20,
    )
    scheme, _, path = config.dataset.partition(":")
    kind = scheme if scheme in SCHEMES else config.dataset
    try:
        return LOADERS.get(kind, _tfds)(path, preparation)
    except tf.errors.OpError as error:  # a record that is damaged or gone
        raise InputError(
            f"`dataset` {config.dataset} cannot be read: "
            f"{images.reason(error)}."
        ) from error
