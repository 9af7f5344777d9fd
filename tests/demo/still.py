"""The copy of a source that nobody writes to, between two Milvus Lite: what the demo shows where no real Milvus runs."""

from running import Failed

KIND = "lite"
SHOWN = "Milvus Lite"
MODE = {}
DIFFERS = 3


def log_of(folder):
    """Sections of the source's configuration: a copy needs none."""
    return {}


def move(stage):
    """The job, with its progress on the terminal, and the report; whether all is proven to be equal."""
    stage.steps.next("Creating the job, and watching it to its end")
    ended = stage.source.tell("job", "create", "--file", stage.job_file(), "--watch")
    if ended.returncode not in (0, DIFFERS):
        raise Failed(f"the job did not complete: exit code {ended.returncode}")
    stage.steps.next("The report: every row compared by content")
    is_equal = stage.report()
    return is_equal and ended.returncode == 0
