"""Folders on any file system that pyarrow reads."""

from __future__ import annotations

import os
import posixpath
import shutil
import tempfile
import uuid
from contextlib import contextmanager
from typing import Iterator, List, NamedTuple, Set

from pyarrow import fs as pafs

import hitscribe

#: Bytes that are copied at once.
BLOCK_BYTES = 1 << 20


class File(NamedTuple):
    """A file in a folder."""

    name: str
    """Path within the folder, with slashes."""
    size: int
    """In bytes."""
    modified_ns: int
    """Time of the last change, in nanoseconds since 1970; 0 if it is not known."""


class Folder:
    """A folder on a local or remote file system."""

    def __init__(self, location: str) -> None:
        self.location = location
        if "://" in location:
            self.system, self.path = pafs.FileSystem.from_uri(location)
        else:
            self.system, self.path = pafs.LocalFileSystem(), os.path.abspath(location)
        self.is_local = isinstance(self.system, pafs.LocalFileSystem)

    def full(self, name: str) -> str:
        """The path of a file on the file system."""
        return posixpath.join(self.path, name)

    def files(self, under: str = "") -> List[File]:
        """All files below a folder, without hidden ones; none if there is no such folder."""
        base = self.full(under) if under else self.path
        selector = pafs.FileSelector(base, allow_not_found=bool(under), recursive=True)
        found = []
        for info in self.system.get_file_info(selector):
            name = posixpath.relpath(info.path, self.path)
            if info.type == pafs.FileType.File and not any(p.startswith(".") for p in name.split("/")):
                found.append(File(name, info.size, info.mtime_ns or 0))
        return sorted(found)

    def audio_files(self) -> List[File]:
        """The audio files below this folder."""
        extensions = set(hitscribe.AUDIO_EXTENSIONS)
        is_audio = lambda file: posixpath.splitext(file.name)[1][1:].lower() in extensions  # noqa: E731
        return [file for file in self.files() if is_audio(file)]

    def names(self, under: str) -> Set[str]:
        """The paths of the files below a folder."""
        return {file.name for file in self.files(under)}

    def exists(self, name: str) -> bool:
        """Whether there is such a file."""
        return self.system.get_file_info(self.full(name)).type == pafs.FileType.File

    def read(self, name: str) -> bytes:
        """The content of a file."""
        with self.system.open_input_stream(self.full(name)) as stream:
            return stream.read()

    def write(self, name: str, content: bytes) -> None:
        """Writes a file, which appears as a whole or not at all."""
        with self.writer(name) as stream:
            stream.write(content)

    def remove(self, under: str) -> None:
        """Removes a folder with everything in it, if it is there."""
        if self.system.get_file_info(self.full(under)).type == pafs.FileType.Directory:
            self.system.delete_dir(self.full(under))

    @contextmanager
    def writer(self, name: str) -> Iterator["pafs.NativeFile"]:
        """A stream into a file, which appears as a whole or not at all."""
        path = self.full(name)
        if not self.is_local:
            # Object stores show an object when its upload is complete.
            with self.system.open_output_stream(path) as stream:
                yield stream
            return
        folder, base = posixpath.split(path)
        os.makedirs(folder, exist_ok=True)
        temporary = posixpath.join(folder, f".{base[:100]}.{uuid.uuid4().hex}")
        try:
            with self.system.open_output_stream(temporary) as stream:
                yield stream
            os.replace(temporary, path)
        except BaseException:
            if os.path.exists(temporary):
                os.unlink(temporary)
            raise

    @contextmanager
    def local_copy(self, name: str) -> Iterator[str]:
        """The path of a file on this machine: itself, or a copy that is removed afterwards."""
        if self.is_local:
            yield self.full(name)
            return
        folder = tempfile.mkdtemp(prefix="hitscribe-")
        try:
            path = os.path.join(folder, posixpath.basename(name))
            with self.system.open_input_stream(self.full(name)) as stream, open(path, "wb") as copy:
                shutil.copyfileobj(stream, copy, BLOCK_BYTES)
            yield path
        finally:
            shutil.rmtree(folder, ignore_errors=True)
