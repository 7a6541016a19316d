"""Data that do not fit: memory by their size, speed by where they lie.

python -m tests.benchmarks.streams FOLDER DATA_DIR   # by hand, 20 minutes

Memory: the peak of a whole `python -m tfvae.train`, one epoch, on 20 MB and on
2 GB of noise (PNGs of 128x128x3, which do not compress), as a folder and as
TFRecords. Speed: MNIST streamed from TFRecords beside the same in memory, and
the batches alone, without a model.
"""

import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import time
from concurrent import futures
from typing import Any

SIDE = 128
IMAGE_BYTES = 49_500  # of a PNG of noise
MEGABYTES = {"small": 20, "large": 2048}
SHARD = 1000  # images
KINDS = ("PNG", "TFRecord")
NETWORKS = {
    "mlp": ("--architecture=mlp", "--hidden_units=512,512"),
    "conv": ("--architecture=conv", "--filters=32,64", "--hidden_units=16"),
}
EPOCHS, BATCH_SIZE = 3, 128
PLACES = {"resident": 2048, "streamed": 0}  # --max_resident_mb
TINY = ("--architecture=conv", "--filters=4,8", "--hidden_units=8",
        "--latent_dim=2", "--epochs=1", "--max_resident_mb=0")  # fmt: skip


def measure(folder: str, *, data_dir: str, rounds: int) -> dict[str, Any]:
    """Measures memory once and speed a few times.

    Args:
      folder: for the data (4.3 GB, kept for the next time) and the runs.
      data_dir: where TFDS keeps MNIST.
      rounds: how often speed is measured, all contestants in turn.

    Returns:
      {"peak_mb": {kind: {"small", "large"}}, "images_per_second": {network or
      "batches alone": {"resident", "streamed": [rounds]}}}.
    """
    root = pathlib.Path(folder)
    data = {size: write_data(root / "data", size) for size in MEGABYTES}
    peaks = {
        kind: {
            size: _peak_mb(root / "runs" / f"{kind}-{size}", data[size][kind])
            for size in MEGABYTES
        }
        for kind in KINDS
    }
    speeds: dict[str, dict[str, list[float]]] = {
        name: {place: [] for place in PLACES}
        for name in (*NETWORKS, "batches alone")
    }
    for _ in range(rounds):
        for name, of_place in speeds.items():
            for place, found in of_place.items():
                run = root / "runs" / f"{name}-{place}"
                found.append(_speed(name, run, data_dir, PLACES[place]))
    return {"peak_mb": peaks, "images_per_second": speeds}


def table(figures: dict[str, Any]) -> str:
    """Returns the figures of `measure` in Markdown."""
    lines = ["| data | peak, 20 MB | peak, 2 GB | difference |",
             "| --- | --- | --- | --- |"]  # fmt: skip
    for kind, peak in figures["peak_mb"].items():
        small, large = peak["small"], peak["large"]
        lines.append(
            f"| {kind} | {small:,.0f} MB | {large:,.0f} MB "
            f"| {large - small:,.0f} MB |"
        )
    lines += ["", "| MNIST | resident | streamed | ratio |",
              "| --- | --- | --- | --- |"]  # fmt: skip
    for name, speed in figures["images_per_second"].items():
        held, streamed = (statistics.median(speed[place]) for place in PLACES)
        lines.append(
            f"| {name} | {held:,.0f} | {streamed:,.0f} "
            f"| {streamed / held:.2f} |"
        )
    return "\n".join(lines)


def write_data(folder: pathlib.Path, size: str) -> dict[str, tuple[str, ...]]:
    """Writes noise as a folder and as TFRecords, where it is not there yet.

    Args:
      folder: of all data.
      size: one of MEGABYTES.

    Returns:
      {kind: train's flags that name the data}.
    """
    pngs, name = folder / size, f"noise_{size}"
    records = folder / "tfds" / name / "1.0.0"
    if not (records / "dataset_info.json").exists():
        num = MEGABYTES[size] * 10**6 // IMAGE_BYTES
        pngs.mkdir(parents=True, exist_ok=True)
        with futures.ThreadPoolExecutor() as pool:
            list(pool.map(lambda seed: _write_png(pngs, seed), range(num)))
        _write_records(sorted(pngs.iterdir()), records, name)
    return {
        "PNG": (f"--dataset=images:{pngs}",),
        "TFRecord": (f"--dataset={name}", f"--data_dir={folder / 'tfds'}"),
    }


def _write_png(folder: pathlib.Path, seed: int) -> None:
    import numpy as np
    import tensorflow as tf

    image = np.random.default_rng(seed).integers(
        256, size=[SIDE, SIDE, 3], dtype=np.uint8
    )
    png = tf.io.encode_png(image, compression=1).numpy()
    (folder / f"{seed:06d}.png").write_bytes(png)


def _write_records(
    pngs: list[pathlib.Path], folder: pathlib.Path, name: str
) -> None:
    """Writes a TFDS set of the images as they are."""
    import tensorflow as tf
    import tensorflow_datasets as tfds

    features = tfds.features.FeaturesDict(
        {"image": tfds.features.Image(shape=(SIDE, SIDE, 3))}
    )
    folder.mkdir(parents=True, exist_ok=True)
    shards = [pngs[k : k + SHARD] for k in range(0, len(pngs), SHARD)]
    for index, shard in enumerate(shards):
        end = f"{index:05d}-of-{len(shards):05d}"
        path = folder / f"{name}-train.tfrecord-{end}"
        with tf.io.TFRecordWriter(str(path)) as writer:
            for png in shard:
                writer.write(features.serialize_example({"image": str(png)}))
    split = tfds.core.SplitInfo(
        name="train",
        shard_lengths=[len(shard) for shard in shards],
        num_bytes=0,
        filename_template=tfds.core.ShardedFileTemplate(
            dataset_name=name, split="train", filetype_suffix="tfrecord",
            data_dir=folder,
        ),
    )  # fmt: skip
    tfds.folder_dataset.write_metadata(
        data_dir=folder, features=features, split_infos=[split]
    )


def _peak_mb(run: pathlib.Path, data: tuple[str, ...]) -> float:
    """Returns the largest resident memory of a process that trains."""
    process = _start_training(run, *data, *TINY)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, f"training failed: {run}"
    return usage.ru_maxrss * 1024 / 10**6


def _speed(
    name: str, run: pathlib.Path, data_dir: str, resident_mb: int
) -> float:
    """Returns images/s from the second epoch on."""
    if name not in NETWORKS:
        return _speed_of_batches(data_dir, resident_mb)
    process = _start_training(
        run, "--dataset=mnist", f"--data_dir={data_dir}", *NETWORKS[name],
        f"--max_resident_mb={resident_mb}", "--likelihood=bernoulli",
        f"--epochs={EPOCHS}",
    )  # fmt: skip
    assert process.wait() == 0, f"training failed: {run}"
    lines = (run / "metrics.jsonl").read_text().splitlines()
    speeds = [json.loads(line)["images_per_second"] for line in lines]
    return statistics.harmonic_mean(speeds[1:])


def _speed_of_batches(data_dir: str, resident_mb: int) -> float:
    from tfvae.config import Config
    from tfvae.data import load, pipeline

    split = load.load_data(
        Config(dataset="mnist", data_dir=data_dir, max_resident_mb=resident_mb)
    ).train
    batches = pipeline.train_batches(
        split, BATCH_SIZE, seed=0, num_epochs=EPOCHS
    )
    first = pipeline.num_batches(split, BATCH_SIZE)  # of the first epoch
    started = 0.0
    for step, _ in enumerate(batches, start=1):
        if step == first:
            started = time.perf_counter()
    seconds = time.perf_counter() - started
    return (EPOCHS - 1) * split.num_examples / seconds


def _start_training(run: pathlib.Path, *flags: str) -> subprocess.Popen:
    shutil.rmtree(run, ignore_errors=True)
    return subprocess.Popen(
        [sys.executable, "-m", "tfvae.train", f"--run_dir={run}", *flags],
        stdout=subprocess.DEVNULL,
    )


if __name__ == "__main__":
    print(table(measure(sys.argv[1], data_dir=sys.argv[2], rounds=5)))
