"""What a program answers with one line: wrong input (exit status 2), or that it
failed (1)."""


class InputError(ValueError):
    """The user's input is wrong: a flag, a file, a folder, a data set."""


class MissingRunError(InputError, FileNotFoundError):
    """A folder that should hold a run does not."""


class FailedError(RuntimeError):
    """It cannot be done, though the input was accepted (exit status 1)."""


class TrainingError(FailedError):
    """Training cannot go on."""


class WriteError(FailedError, OSError):
    """A file cannot be written: a full disk, a folder that is gone."""


class LostWorkerError(FailedError):
    """Another worker of the job does not answer; starting all again helps."""
