"""Exports that are killed at random moments, under a polling server's eyes.

python -m tests.benchmarks.export_kills RUN FOLDER [--num=200] [--kills=50]

Runs the exporter again and again, three at a time, and kills some of them. A
thread polls FOLDER as a server does: whatever has a number for its name must be
whole, and is loaded through TensorFlow's C library. Prints what came of it.
"""

import os
import pathlib
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter

from export import c_api

NUM_AT_ONCE = 3
EARLIEST, LATEST = 2.5, 9.0  # seconds after the start, of a kill
FILES = {
    "saved_model.pb", "fingerprint.pb", "batching_params.pbtxt",
    "variables/variables.index", "variables/variables.data-00000-of-00001",
    "assets.extra/tfvae.json", "assets.extra/tf_serving_warmup_requests",
}  # fmt: skip


class Poller(threading.Thread):
    """Looks at every number once, at the first moment that it is there.

    Args:
      folder: of the export.
    """

    def __init__(self, folder: pathlib.Path) -> None:
        super().__init__(daemon=True)
        self.folder, self.stop = folder, threading.Event()
        self.seen: set[pathlib.Path] = set()
        self.faults: list[str] = []
        self.num_polls = 0

    def run(self) -> None:
        while not self.stop.wait(0.005):
            self.num_polls += 1
            for version in self.folder.glob("*/[0-9]*"):
                if version not in self.seen:
                    self.seen.add(version)
                    self._look(version)

    def _look(self, version: pathlib.Path) -> None:
        files = {
            str(path.relative_to(version))
            for path in version.rglob("*")
            if path.is_file()
        }
        if files != FILES:
            self.faults.append(f"{version} lacks {sorted(FILES - files)}")
            return
        try:
            c_api.Session(str(version)).close()
        except c_api.TensorFlowError as error:
            self.faults.append(f"{version}: {error}")


def main(run: str, folder: str, *more: str) -> None:
    """Exports, kills and prints."""
    given = dict(word.removeprefix("--").split("=") for word in more)
    num, kills = int(given.get("num", 200)), int(given.get("kills", 50))
    rng, ends = random.Random(0), Counter[str]()
    doomed = set(rng.sample(range(num), kills))
    jobs, lock = iter(range(num)), threading.Lock()
    command = [
        sys.executable, "-m", "export.saved_model",
        f"--run_dir={run}", f"--export_dir={folder}",
    ]  # fmt: skip

    def work() -> None:
        while True:
            with lock:
                job, moment = next(jobs, None), rng.uniform(EARLIEST, LATEST)
            if job is None:
                return
            with subprocess.Popen(command, stdout=subprocess.DEVNULL) as export:
                if job in doomed:
                    time.sleep(moment)
                    export.send_signal(signal.SIGKILL)
            with lock:
                ends[str(export.returncode)] += 1

    poller = Poller(pathlib.Path(folder))
    poller.start()
    workers = [threading.Thread(target=work) for _ in range(NUM_AT_ONCE)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    last = subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
    poller.stop.set()
    poller.join()
    left = [
        path for path in pathlib.Path(folder).glob("*/.*")
        if path.name not in (os.curdir, os.pardir)
    ]  # fmt: skip
    print(f"exit statuses: {dict(ends)}; of one more export: {last.returncode}")
    print(f"{poller.num_polls:,} polls, {len(poller.seen)} versions, faults:")
    print("\n".join(poller.faults) or "none")
    print(f"left behind: {[str(path) for path in left] or 'nothing'}")


if __name__ == "__main__":
    main(*sys.argv[1:])
