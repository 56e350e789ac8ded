"""Ledgers: files of finished batches that survive kills, full disks and each other.

A ledger is a text file with one JSON object a line, each line one finished batch that says
everything about itself:

    {"check": ..., "count": 500, "index": 0, "key": ..., "m2": ..., "mean": ..., "task": {...}, ...}

`task` is the canonical description, `key` its digest, `index` the seed index of the batch, and
`check` a digest of the rest of the line. So ledgers are merged by `cat`, a damaged line costs one
batch, and a batch counts once however often it appears. Lines are only ever added.
"""

import hashlib
import json
import os
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from phasetheory.sweep.describe import FORMAT, Json, canonical, digest
from phasetheory.sweep.moments import Moments

try:
    import fcntl
except ImportError:  # Windows has no such locks: one process a ledger there
    fcntl = None  # type: ignore[assignment]

__all__ = ["Batch", "Batches", "Ledger"]

#: Damaged lines reported one by one; more than these are counted.
MAX_REPORTED = 5
#: Two machines may differ by rounding in the same batch; by more than this they disagree.
TOLERANCE = 1e-6


@dataclass(frozen=True)
class Batch:
    """One finished batch of one task.

    Attributes:
        task: Canonical description of the task.
        index: Seed index of the batch, from 0.
        moments: Its moments, in `unit`.
        unit: Unit of the mean, for example "nats".
        sizes: Numbers of sites of A, B and C.
        seconds: Time it took, shared equally among batches of the same samples.
        version: Version of the package that made it.
    """

    task: Json
    index: int
    moments: Moments
    unit: str
    sizes: tuple[int, ...]
    seconds: float
    version: str

    @cached_property
    def key(self) -> str:
        """Digest of the task."""
        return digest(self.task)

    def line(self) -> str:
        """The line of a ledger that says all this, without its newline."""
        moments = self.moments
        record = {
            "count": moments.count,
            "index": self.index,
            "key": self.key,
            "m2": moments.m2,
            "mean": moments.mean,
            "seconds": round(self.seconds, 6),
            "sizes": self.sizes,
            "sum_abs": moments.sum_abs,
            "task": self.task,
            "unit": self.unit,
            "version": self.version,
        }
        return canonical(record | {"check": _check(record)})

    @classmethod
    def parse(cls, line: str) -> "Batch":
        """Read a line.

        Raises:
            ValueError: If the line is damaged, or made by another data format.
        """
        try:
            record = json.loads(line)
            right = record.pop("check") == _check(record)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise ValueError("not a whole line of a ledger") from None
        if not right:
            raise ValueError("its checksum does not fit")
        try:
            task = record["task"]
            if task["format"] != FORMAT:
                raise ValueError(f"data format {task['format']!r}; this version reads {FORMAT}")
            moments = Moments(*(record[name] for name in ("count", "mean", "m2", "sum_abs")))
            described = (str(record["unit"]), tuple(map(int, record["sizes"])))
            made = (float(record["seconds"]), str(record["version"]))
            batch = cls(task, int(record["index"]), moments, *described, *made)
        except (TypeError, KeyError, AttributeError):
            raise ValueError("not a line of a ledger") from None
        if batch.key != record["key"]:
            raise ValueError("its key is not that of its task")
        return batch


#: Task key -> seed index -> batch.
Batches = dict[str, dict[int, Batch]]


class Ledger:
    """A file of finished batches.

    Args:
        path: The file; it and its folder are made at the first batch.

    Raises:
        ValueError: If the path is a folder.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        if self.path.is_dir():
            raise ValueError(f"ledger={str(path)!r} is a folder: the name of a file needed")

    def append(self, batches: Iterable[Batch]) -> None:
        """Add finished batches and make sure that they are on the disk.

        All lines go out in one write under an exclusive lock, so that several processes (of one
        machine, or of several where the file system locks across them) may share the file. A
        half-written last line, left by a kill, is closed first, so that nothing is glued to it.

        Args:
            batches: The batches; none is fine.

        Raises:
            OSError: If the disk is full or the file cannot be written. What was there before
                stays; a part already written is taken back.
        """
        text = "".join(batch.line() + "\n" for batch in batches)
        if not text:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o666)
        try:
            with _locked(file):
                end = os.fstat(file).st_size
                os.lseek(file, max(end - 1, 0), os.SEEK_SET)
                glued = os.read(file, 1) not in (b"", b"\n")
                self._write(file, (b"\n" if glued else b"") + text.encode(), end)
        finally:
            os.close(file)

    def _write(self, file: int, data: bytes, end: int) -> None:
        done = 0
        try:
            while done < len(data):
                done += os.write(file, data[done:])
            os.fsync(file)
        except OSError as error:
            os.ftruncate(file, end)
            raise OSError(
                error.errno,
                f"{error.strerror}; the ledger keeps what it had, start again to go on",
                str(self.path),
            ) from error

    def read(self) -> Batches:
        """All batches, each once.

        Damaged lines are reported in warnings that name file, line and reason, and left out. Of
        two batches with the same name and different numbers the one with the smaller line counts,
        whatever the order, and a warning says so.

        Returns:
            Task key -> seed index -> batch; empty where there is no file.
        """
        return merged([self])

    def __iter__(self) -> Iterator[Batch]:
        """Batches line by line, repeated ones included."""
        if not self.path.exists():
            return
        damaged = 0
        # Bytes that are no text fail their checksum below; they must not stop the reading.
        with open(self.path, encoding="utf-8", errors="replace", newline="\n") as file:
            for number, line in enumerate(file, start=1):
                if not line.strip():
                    continue
                try:
                    batch = Batch.parse(line)
                except ValueError as error:
                    damaged += 1
                    if damaged <= MAX_REPORTED:
                        _warn(f"{self.path}:{number}: skipped a line, {error}: {line[:50]!r}")
                    continue
                yield batch
        if damaged > MAX_REPORTED:
            _warn(f"{self.path}: skipped {damaged} lines in all")


def merged(ledgers: Iterable[Iterable[Batch]]) -> Batches:
    """Batches of several ledgers, each once; see :meth:`Ledger.read`."""
    found: Batches = {}
    for ledger in ledgers:
        for batch in ledger:
            own = found.setdefault(batch.key, {})
            if batch.index not in own:
                own[batch.index] = batch
            elif own[batch.index].moments != batch.moments:
                own[batch.index] = _settled(own[batch.index], batch)
    return found


def _settled(first: Batch, second: Batch) -> Batch:
    """One of two batches of the same name, the same one whatever their order."""
    one, other = first.moments, second.moments
    scale = max(abs(one.mean), abs(other.mean), 1e-12)
    if one.count != other.count or abs(one.mean - other.mean) > TOLERANCE * scale:
        _warn(
            f"batch {first.index} of task {first.key} has two results, {one.mean!r} (version"
            f" {first.version}) and {other.mean!r} (version {second.version}): kept one of them"
        )
    return min(first, second, key=lambda batch: (*vars(batch.moments).values(),))


def _check(record: Json) -> str:
    return hashlib.sha256(canonical(record).encode()).hexdigest()[:16]


def _warn(message: str) -> None:
    warnings.warn(message, UserWarning, stacklevel=3)


@contextmanager
def _locked(file: int) -> Iterator[None]:
    # Released when the file is closed, also by the death of the process.
    if fcntl is not None:
        fcntl.flock(file, fcntl.LOCK_EX)
    yield
