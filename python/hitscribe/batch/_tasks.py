"""Recordings in tasks, and tasks to the workers of a Ray cluster."""

from __future__ import annotations

import math
from collections import deque
from typing import Any, Callable, Deque, Dict, Iterable, List, NamedTuple, Optional, Tuple

import ray
from ray.exceptions import RayError, RayTaskError

from hitscribe.batch._worker import Job, Outcome, Recording, Worker

#: Recordings in a task: enough that its table is not tiny, few enough that little is lost with it.
MOST_FILES = 64
MOST_BYTES = 128 << 20
#: A task has at most this share of what is left for each worker, so that all end at about the same
#: time: the last tasks have one recording, the smallest.
SHARE = 1 / 8
#: How many workers may die of a task.
MOST_ATTEMPTS = 3


class Task(NamedTuple):
    """Recordings that one worker transcribes, and that one part has."""

    part: str
    recordings: List[Recording]
    attempts: int = 0
    """How often it has failed."""


class Tasks:
    """What is to be done, the largest recordings first."""

    def __init__(self, recordings: Iterable[Recording], run: str, workers: int) -> None:
        self._left = deque(sorted(recordings, key=lambda recording: -recording.file.size))
        self._again: Deque[Task] = deque()
        self._run = run
        self._workers = workers
        self._parts = 0

    def __len__(self) -> int:
        """At least the number of tasks that are left: 0 if there are none."""
        return len(self._again) + len(self._left)

    def take(self) -> Task:
        """The next task."""
        if self._again:
            return self._again.popleft()
        most = min(MOST_FILES, math.ceil(len(self._left) * SHARE / self._workers))
        recordings = [self._left.popleft()]
        size = recordings[0].file.size
        while self._left and len(recordings) < most:
            size += self._left[0].file.size
            if size > MOST_BYTES:
                break
            recordings.append(self._left.popleft())
        return Task(self.part(), recordings)

    def failed(self, task: Task) -> bool:
        """Queues a task again, or each of its recordings: only one that kills its worker is to be
        lost. False if it was tried often enough."""
        if task.attempts + 1 < MOST_ATTEMPTS:
            self._again.append(task._replace(attempts=task.attempts + 1))
        elif len(task.recordings) > 1:
            self._again.extend(Task(self.part(), [recording]) for recording in task.recordings)
        else:
            return False
        return True

    def part(self) -> str:
        """A new name."""
        self._parts += 1
        return f"{self._run}-{self._parts:06}.parquet"


def transcribe(
    job: Job,
    tasks: Tasks,
    workers: int,
    done: Callable[[List[Outcome]], None],
    give_up: Callable[[Task, str], None],
) -> None:
    """Runs all tasks on a number of workers, each of which gets a task when it has done the last.

    ``done`` is called for each task that is done, ``give_up`` for those of one recording that failed
    too often, with the reason. Raises ``RayError`` if no worker can be started.
    """
    kind = ray.remote(num_cpus=1)(Worker)
    running: "Dict[Any, Tuple[Any, Optional[Task]]]" = {}

    def start() -> None:
        worker = kind.remote(job)
        # It may have to wait for a free core, and gets no task before.
        running[worker.__ray_ready__.remote()] = worker, None

    for _ in range(min(workers, len(tasks))):
        start()
    while tasks or any(task for _, task in running.values()):
        (ended,), _ = ray.wait(list(running))
        worker, task = running.pop(ended)
        try:
            outcome = ray.get(ended)
            if task:
                done(outcome)
        except RayError as error:
            if task is None:
                if not running:
                    raise
                continue
            is_alive = isinstance(error, RayTaskError)
            if not tasks.failed(task):
                reason = str(error.cause) if is_alive else f"its worker died {MOST_ATTEMPTS} times"
                give_up(task, reason)
            if not is_alive:
                start()
                continue
        if tasks:
            task = tasks.take()
            running[worker.transcribe.remote(task.part, task.recordings)] = worker, task
