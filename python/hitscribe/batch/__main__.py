"""``python -m hitscribe.batch``: see `hitscribe.batch`."""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import math
import sys
import time
import uuid
from typing import Any, Dict, List, Optional

import hitscribe
from hitscribe._progress import Progress

#: Recordings in a task: enough that its table is not tiny, few enough that little is lost with it.
MOST_FILES = 64
MOST_BYTES = 128 << 20
#: Tasks for each worker, so that all end at about the same time.
TASKS_PER_WORKER = 16


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


def tasks(files: "List[Dict[str, Any]]", run: str, most_files: int) -> "List[Dict[str, Any]]":
    """Recordings in groups, the largest first, each with the name of its part."""
    groups: "List[List[Dict[str, Any]]]" = []
    size = 0
    for file in sorted(files, key=lambda file: -file["size"]):
        if not groups or len(groups[-1]) >= most_files or size + file["size"] > MOST_BYTES:
            groups.append([])
            size = 0
        groups[-1].append(file)
        size += file["size"]
    name = lambda group: hashlib.sha256(json.dumps(group).encode()).hexdigest()[:16]  # noqa: E731
    return [{"part": f"{run}-{name(group)}.parquet", "files": group} for group in groups]


class Run:
    """A run from the listing to the tables."""

    def __init__(self, args: argparse.Namespace) -> None:
        from hitscribe.batch import _storage, _tables, _worker

        self._tables, self._worker = _tables, _worker
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

    def missing(self) -> "List[Dict[str, Any]]":
        """The recordings that are to be transcribed, with the hash that an earlier run found."""
        done = self._tables.done(self.output)
        midi = self.output.names("midi")
        missing = []
        for file in self.files:
            entry = done.get(file.name)
            if entry is None:
                known = ""
            elif entry.row["error"] is not None:
                known = ""
                if self._is_same(entry.row, file) and not self.args.retry_failures:
                    continue
            elif self._worker.midi_name(file.name) not in midi:
                known = ""
            elif self._is_same(entry.row, file):
                continue
            else:
                known = entry.row["sha256"]
            missing.append({**file._asdict(), "known_sha256": known})
        return missing

    @staticmethod
    def _is_same(row: "Dict[str, Any]", file: Any) -> bool:
        return (row["size"], row["modified_ns"]) == (file.size, file.modified_ns)

    def transcribe(self, items: "List[Dict[str, Any]]", workers: int) -> None:
        """Runs tasks. Ray runs those again whose workers have died."""
        import ray

        job = self._worker.Job(self.args.input, self.args.output, self.options)
        outcomes = ray.data.from_items(items, override_num_blocks=len(items)).map_batches(
            self._worker.Worker,
            batch_size=1,
            fn_constructor_args=[job],
            # A task that waits on a worker would be lost with it.
            compute=ray.data.ActorPoolStrategy(
                size=min(workers, len(items)), max_tasks_in_flight_per_actor=1
            ),
            num_cpus=1,
        )
        for outcome in outcomes.iter_rows():
            for duration, failed in zip(outcome["durations"], outcome["failed"]):
                self.progress.add(duration, failed)

    def run(self) -> int:
        """Does what is missing, and writes the tables. Returns the exit code."""
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
        code = 0
        if missing:
            code = self._run_missing(missing)
        done, failed = self._tables.write_tables(self.output, (file.name for file in self.files))
        print(f"hitscribe: {done} recordings transcribed, {failed} failed", file=sys.stderr)
        return code or min(failed, 1)

    def _run_missing(self, missing: "List[Dict[str, Any]]") -> int:
        workers = start_ray(self.args.address, self.args.workers)
        self.progress = Progress(len(missing), show=True)
        try:
            most_files = math.ceil(len(missing) / (workers * TASKS_PER_WORKER))
            self.transcribe(tasks(missing, f"{self.name}-1", min(MOST_FILES, most_files)), workers)
            # A recording that kills its worker takes the others of its task along: one by one, only
            # it is lost.
            lost = self.lost(missing)
            if lost:
                self.transcribe(tasks(lost, f"{self.name}-2", 1), workers)
                self.give_up(self.lost(lost))
        except KeyboardInterrupt:
            print("\nhitscribe: interrupted: start it again to continue", file=sys.stderr)
            return 130
        finally:
            self.progress.close()
            self.output.remove(self._worker.ATTEMPTS)
        return 0

    def lost(self, tried: "List[Dict[str, Any]]") -> "List[Dict[str, Any]]":
        """The recordings that no part of this run has."""
        done = self._tables.done(self.output)

        def has(file: "Dict[str, Any]") -> bool:
            entry: Optional[Any] = done.get(file["name"])
            same = entry and (entry.row["size"], entry.row["modified_ns"])
            return same == (file["size"], file["modified_ns"])

        return [file for file in tried if not has(file)]

    def give_up(self, lost: "List[Dict[str, Any]]") -> None:
        """Records recordings whose tasks failed, such as those that cannot be written."""
        if lost:
            from hitscribe.batch._storage import File

            files = [File(file["name"], file["size"], file["modified_ns"]) for file in lost]
            reason = "its task failed: see the logs of Ray"
            rows = [self._worker.failed_row(file, reason) for file in files]
            self._tables.write_part(self.output, f"{self.name}-3.parquet", rows)
            for _ in rows:
                self.progress.add(0.0, failed=True)


def start_ray(address: Optional[str], workers: Optional[int]) -> int:
    """Connects to a cluster, or starts Ray on this machine. Returns the number of workers."""
    import ray
    import ray.data

    if address is None:
        ray.init(
            num_cpus=workers,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    else:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    context = ray.data.DataContext.get_current()
    # A task that is lost is counted afterwards.
    context.max_errored_blocks = -1
    context.enable_progress_bars = False
    return workers or max(1, int(ray.cluster_resources().get("CPU", 1)))


def main(argv: Optional[List[str]] = None) -> int:
    """Runs the program. Returns the exit code."""
    args = arguments().parse_args(argv)
    try:
        import pyarrow  # noqa: F401
        import ray  # noqa: F401
    except ImportError as error:
        raise SystemExit(f"hitscribe: {error}: pip install 'hitscribe[batch]'") from error
    try:
        return Run(args).run()
    except (OSError, ValueError, hitscribe.HitscribeError) as error:
        raise SystemExit(f"hitscribe: {error}") from error


if __name__ == "__main__":
    sys.exit(main())
