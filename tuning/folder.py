"""One search on disk: its plan, the table of trials, the best of them."""

import json
import os
import shutil
import tempfile
from collections.abc import Sequence

from tfvae.errors import InputError
from tfvae.folder import Folder
from tfvae.run_dir import RunDir
from tuning import results as results_lib
from tuning.plan import Plan
from tuning.results import Result

PLAN, TRIALS, REPORT = "settings.json", "trials.csv", "report.html"
TUNER, BEST, BOARD = "search", "best", "tensorboard"


class SearchDir(Folder):
    """Reads and writes the files of one search.

    Args:
      path: of the folder.
    """

    def prepare(self) -> None:
        """Makes the folder, and makes sure that it can be written to.

        Raises:
          InputError: the folder cannot be written, or holds other things.
        """
        try:
            os.makedirs(self.path, exist_ok=True)
            entries = [e for e in os.listdir(self.path) if e[0] != "."]
            own = {PLAN, TRIALS, REPORT, TUNER, BEST, BOARD}
            others = sorted(set(entries) - own)
            if others and PLAN not in entries:
                raise InputError(
                    f"`directory` {self.path} holds files that are no search "
                    f"({others[0]}); give an empty or new folder."
                )
            # Of a name of its own, as workers look at the same moment.
            with tempfile.TemporaryFile(dir=self.path):
                pass
        except OSError as error:
            raise InputError(
                f"`directory` {self.path} cannot be written: {error.strerror}; "
                "give another."
            ) from error

    def clear(self) -> None:
        """Removes the search, and nothing else, from the folder."""
        for name in (TUNER, BEST, BOARD, TRIALS, REPORT, PLAN):
            path = self.file(name)
            if os.path.isdir(path):
                shutil.rmtree(path)
            elif os.path.exists(path):
                os.remove(path)

    def read_plan(self) -> Plan | None:
        """Returns the plan of the search that the folder holds; None: none.

        Raises:
          InputError: the file is no plan.
        """
        path = self.file(PLAN)
        if not os.path.exists(path):
            return None
        with open(path, encoding="utf-8") as file:
            try:
                content = json.load(file)
            except ValueError as error:
                raise InputError(f"{path} is not JSON: {error}.") from error
        return Plan.from_json(content, source=path)

    def write_plan(self, plan: Plan) -> None:
        """Writes settings.json; the search has begun."""
        self.write_json(PLAN, plan.to_json())

    def write_results(
        self, results: Sequence[Result], plan: Plan
    ) -> Result | None:
        """Writes trials.csv, and best/config.json where a trial is complete.

        Args:
          results: of all trials.
          plan: of the search.

        Returns:
          The best; None: no trial is complete.
        """
        path = self.file(TRIALS)
        results_lib.write_csv(path, results, base=plan.base)
        completed = results_lib.ranked(results, direction=plan.direction)
        if not completed:
            return None
        config = self.trial_run(completed[0].trial).read_settings()
        self.write_json(os.path.join(BEST, "config.json"), config)
        return completed[0]

    def trial_run(self, trial: str) -> RunDir:
        """Returns the run folder of a trial."""
        return RunDir(self.file(TUNER, f"trial_{trial}", "run"))

    def best_run(self) -> RunDir:
        """Returns the folder of the run that is trained at the end."""
        return RunDir(self.file(BEST, "run"))
