"""Tasks on the cores of this machine, by a pool of processes."""

from collections.abc import Iterator, Sequence
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor, as_completed

from fsanet_tf.batch.config import LabelerConfig
from fsanet_tf.batch.output import Output
from fsanet_tf.batch.tasks import Task, run_task
from fsanet_tf.parallel import exit_with_parent, num_cores, worker_context


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
    """
    pending = {task.number: task for task in tasks}
    context = worker_context("cv2", "pyarrow.parquet", "fsanet_tf.batch.tasks")
    while pending:
        workers = min(workers or num_cores(), len(pending))
        with ProcessPoolExecutor(workers, mp_context=context, initializer=exit_with_parent) as pool:
            futures = [pool.submit(run_task, task, config, output) for task in pending.values()]
            try:
                for future in as_completed(futures):
                    number = future.result()
                    del pending[number]
                    yield number
            except BrokenExecutor:  # a worker died
                for number in pending.keys() & output.finished():
                    del pending[number]
                    yield number
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
