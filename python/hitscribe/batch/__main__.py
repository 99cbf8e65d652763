"""``python -m hitscribe.batch``: see `hitscribe.batch`."""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Dict, List, Optional

import hitscribe
from hitscribe._progress import Progress


def arguments() -> argparse.ArgumentParser:
    """The arguments of the program."""
    parser = argparse.ArgumentParser(
        prog="python -m hitscribe.batch",
        description="Transcribe folders of recordings on many cores or machines, with Ray.",
        epilog="Started again, it does only what is missing. Exit code 1: some recordings could not "
        "be transcribed; failures.parquet lists them.",
    )
    parser.add_argument("input", metavar="INPUT", help="folder or URI of the recordings")
    parser.add_argument("output", metavar="OUTPUT", help="folder or URI for MIDI files and tables")
    parser.add_argument("--address", help="Ray cluster, such as auto [default: this machine]")
    parser.add_argument("--workers", type=int, metavar="N", help="processes [default: one per core]")
    parser.add_argument("--source", help="what the recordings contain, such as drums or mix")
    parser.add_argument("--sensitivity", type=float, default=0.5, metavar="0..1")
    parser.add_argument("--model", default="built-in", metavar="FILE|NAME")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--leakage", default="off", metavar="FILTER")
    parser.add_argument(
        "--retry-failures", action="store_true", help="try recordings that failed before again"
    )
    return parser


class Run:
    """A run from the listing to the tables."""

    def __init__(self, args: argparse.Namespace) -> None:
        from hitscribe.batch import _storage, _tables, _tasks, _worker

        self._tables, self._tasks, self._worker = _tables, _tasks, _worker
        self.args = args
        self.options = {
            name: getattr(args, name) for name in ("source", "sensitivity", "model", "device", "leakage")
        }
        self.input = _storage.Folder(args.input)
        self.output = _storage.Folder(args.output)
        # Parts are ordered by it.
        self.name = time.strftime("%Y%m%dT%H%M%S", time.gmtime()) + "-" + uuid.uuid4().hex[:6]

    def check_settings(self) -> None:
        """An output has the results of one input with one version and one set of options."""
        options = {name: value for name, value in self.options.items() if name != "device"}
        settings = {"version": hitscribe.__version__, "input": self.input.path, **options}
        if not self.output.exists("settings.json"):
            self.output.write("settings.json", json.dumps(settings, indent=2).encode())
            return
        found = json.loads(self.output.read("settings.json"))
        for name in sorted(settings.keys() | found.keys()):
            if settings.get(name) != found.get(name):
                raise SystemExit(
                    f"hitscribe: {self.args.output}: has results with {name} {found.get(name)}, not "
                    f"{settings.get(name)}: name another output"
                )

    def missing(self) -> "List[Any]":
        """The recordings that are to be transcribed, with the hash that an earlier run found."""
        done = self._tables.done(self.output)
        midi = self.output.names("midi")
        missing = []
        for file in self.files:
            entry = done.get(file.name)
            if entry is None:
                known = None
            elif entry.row["error"] is not None:
                known = None
                if self._is_same(entry.row, file) and not self.args.retry_failures:
                    continue
            elif self._worker.midi_name(file.name) not in midi:
                known = None
            elif self._is_same(entry.row, file):
                continue
            else:
                known = entry.row["sha256"]
            missing.append(self._worker.Recording(file, known))
        return missing

    @staticmethod
    def _is_same(row: "Dict[str, Any]", file: Any) -> bool:
        return (row["size"], row["modified_ns"]) == (file.size, file.modified_ns)

    def run(self) -> int:
        """Does what is missing, and writes the tables. Returns the exit code."""
        import ray

        self.files = self.input.audio_files()
        if not self.files:
            known = ", ".join(hitscribe.AUDIO_EXTENSIONS)
            raise SystemExit(f"hitscribe: {self.args.input}: no audio files in this folder ({known})")
        # Fails here, not on the workers, if the options are not valid.
        hitscribe.Transcriber(**self.options)
        self.check_settings()
        missing = self.missing()
        kept = len(self.files) - len(missing)
        print(f"hitscribe: {len(missing)} recordings to transcribe, {kept} kept", file=sys.stderr)
        code = self._run_missing(missing) if missing else 0
        with ThreadPoolExecutor(1) as pool:
            if missing:
                # It takes more than a second.
                pool.submit(ray.shutdown)
            done, failed = self._tables.write_tables(self.output, (file.name for file in self.files))
        print(f"hitscribe: {done} recordings transcribed, {failed} failed", file=sys.stderr)
        return code or min(failed, 1)

    def _run_missing(self, missing: "List[Any]") -> int:
        workers = start_ray(self.args.address, self.args.workers)
        self.progress = Progress(len(missing), show=True)
        job = self._worker.Job(self.args.input, self.args.output, self.options)
        tasks = self._tasks.Tasks(missing, self.name, workers)
        try:
            self._tasks.transcribe(job, tasks, workers, self.count, self.give_up)
        except KeyboardInterrupt:
            print("\nhitscribe: interrupted: start it again to continue", file=sys.stderr)
            return 130
        finally:
            self.progress.close()
        return 0

    def count(self, outcomes: "List[Any]") -> None:
        """Counts the recordings of a task that is done."""
        for outcome in outcomes:
            self.progress.add(outcome.duration, outcome.failed)

    def give_up(self, task: Any, reason: str) -> None:
        """Records the failure of a task."""
        rows = [self._worker.failed_row(recording.file, reason) for recording in task.recordings]
        self._tables.write_part(self.output, task.part, rows)
        for _ in rows:
            self.progress.add(0.0, failed=True)


def start_ray(address: Optional[str], workers: Optional[int]) -> int:
    """Connects to a cluster, or starts Ray on this machine. Returns the number of workers."""
    import ray

    if address is None:
        # A run on this machine tells nobody.
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        ray.init(
            num_cpus=workers,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    else:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    return workers or max(1, int(ray.cluster_resources().get("CPU", 1)))


def main(argv: Optional[List[str]] = None) -> int:
    """Runs the program. Returns the exit code."""
    args = arguments().parse_args(argv)
    try:
        import pyarrow  # noqa: F401
        from ray.exceptions import RayError
    except ImportError as error:
        raise SystemExit(f"hitscribe: {error}: pip install 'hitscribe[batch]'") from error
    try:
        return Run(args).run()
    except (OSError, ValueError, hitscribe.HitscribeError, RayError) as error:
        raise SystemExit(f"hitscribe: {error}") from error


if __name__ == "__main__":
    sys.exit(main())
