"""Rows of computed results, keyed by a hash of the task: kill it, call it again, it goes on.

A task and its row are JSON objects. The file has one line per finished task,

    {"key": sha256 of the canonical JSON of the task, "task": {...}, "row": {...}}

written and synced before the next task begins, so that a kill costs one task at most. A line cut
off by a kill is skipped with a warning and its task computed again. NaN and infinities are kept in
the spelling of Python's `json`. One process at a time may write to a file.
"""

import hashlib
import json
import os
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

__all__ = ["Rows", "task_key"]

Json = dict[str, Any]


def as_json(value: Any) -> str:
    """Canonical JSON text: sorted keys; numpy scalars and arrays become numbers and lists."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=_plain)


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):
        return value.tolist()
    raise ValueError(f"got {value!r} of type {type(value).__name__}, which JSON cannot hold")


def task_key(task: Json) -> str:
    """The sha256 of the canonical JSON of a task.

    Example:
        >>> task_key({"t": 0.5, "radius": 1}) == task_key({"radius": 1, "t": 0.5})
        True
    """
    return hashlib.sha256(as_json(task).encode()).hexdigest()


class Rows:
    """The finished rows of one figure, in a JSON-lines file.

    Args:
        path: The file; it and its folder are made at the first row.
    """

    def __init__(self, path: str | os.PathLike[str]):
        self.path = Path(path)

    def get_or_compute(
        self,
        tasks: Sequence[Json],
        compute: Callable[[Json], Json],
        *,
        progress: bool = True,
        recompute: bool = False,
    ) -> list[Json]:
        """Return `[{**task, **row}, ...]` in the order of the tasks, computing what is missing.

        Args:
            tasks: JSON objects; equal ones are computed once. A change of the code that changes
                the rows must change the task, for example through a `version` in it.
            compute: From task to row, a JSON object that shares no key with its task.
            progress: Show a bar, if this is a terminal.
            recompute: Compute all of them again; their old rows are dropped.
        """
        keys = [task_key(task) for task in tasks]
        done = self._read()
        if recompute and done.keys() & set(keys):
            done = {key: record for key, record in done.items() if key not in set(keys)}
            self._write(done)
        missing = {key: task for key, task in zip(keys, tasks, strict=True) if key not in done}
        for key, task in tqdm(missing.items(), self.path.stem, disable=None if progress else True):
            row = compute(task)
            if shared := task.keys() & row.keys():
                raise ValueError(f"row: has the keys {sorted(shared)} of its task {task!r}")
            line = as_json({"key": key, "task": task, "row": row})
            self._append(line)
            # Through JSON, so that a row is the same whether computed now or read back.
            done[key] = json.loads(line)
        return [{**done[key]["task"], **done[key]["row"]} for key in keys]

    def _read(self) -> dict[str, Json]:
        """The records by key, the last of equal keys winning; mends a damaged file."""
        if not self.path.exists():
            return {}
        # A cut may fall inside a character, hence "replace": such a line fails below.
        text = self.path.read_text(encoding="utf-8", errors="replace")
        done, damaged = {}, not text.endswith("\n")
        for number, line in enumerate(text.splitlines(), start=1):
            record = _parse(line)
            if record is None:
                damaged = True
                warnings.warn(
                    f"{self.path}:{number}: skipped a damaged line, {line[:60]!r}; its task is "
                    "computed again",
                    stacklevel=3,
                )
            else:
                done[record["key"]] = record
        if damaged:
            self._write(done)
        return done

    def _append(self, line: str) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(line + "\n")
            file.flush()
            os.fsync(file.fileno())

    def _write(self, records: dict[str, Json]) -> None:
        temporary = self.path.with_name(self.path.name + ".new")
        with open(temporary, "w", encoding="utf-8") as file:
            file.writelines(as_json(record) + "\n" for record in records.values())
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, self.path)


def _parse(line: str) -> Json | None:
    """The record in a line, None if it is not one or its key is not that of its task."""
    try:
        record = json.loads(line)
        whole = record["key"] == task_key(record["task"]) and isinstance(record["row"], dict)
    except (ValueError, TypeError, KeyError):
        return None
    return record if whole else None
