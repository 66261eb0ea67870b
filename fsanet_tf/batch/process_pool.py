"""Tasks on the cores of this machine, by a pool of processes."""

from collections.abc import Iterator, Sequence
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor, as_completed

from fsanet_tf.batch.config import LabelerConfig
from fsanet_tf.batch.output import Output
from fsanet_tf.batch.tasks import Task, run_task
from fsanet_tf.errors import InputError
from fsanet_tf.parallel import exit_with_parent, num_cores, worker_context

MAX_DEATHS = 5


def run_in_processes(
    tasks: Sequence[Task], config: LabelerConfig, output: Output, workers: int = 0
) -> Iterator[int]:
    """Run tasks; a worker that dies is replaced, and its task begun again.

    Args:
        tasks: What to do.
        config: How to label.
        output: Receives a file per task.
        workers: Number of processes; 0: one per core.

    Yields:
        The numbers of the tasks, as they finish.

    Raises:
        InputError: If workers keep dying.
    """
    pending = {task.number: task for task in tasks}
    deaths = 0  # in a row, without a finished task between them
    context = worker_context("cv2", "pyarrow.parquet", "fsanet_tf.batch.tasks")
    while pending:
        workers = min(workers or num_cores(), len(pending))
        with ProcessPoolExecutor(workers, mp_context=context, initializer=exit_with_parent) as pool:
            futures = [pool.submit(run_task, task, config, output) for task in pending.values()]
            try:
                for future in as_completed(futures):
                    number = future.result()
                    del pending[number]
                    deaths = 0
                    yield number
            except BrokenExecutor as error:  # a worker died
                deaths += 1
                if deaths == MAX_DEATHS:
                    raise InputError(
                        f"{output.address}: {deaths} workers died without finishing a task, probably for "
                        "lack of memory; the same command resumes, with fewer --workers"
                    ) from error
                for number in pending.keys() & output.finished():
                    del pending[number]
                    yield number
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
