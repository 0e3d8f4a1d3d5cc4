"""The queue of the service: a table of jobs in SQLite. What it has accepted is on the disk.

One connection, used by one thread at a time. Every change is a transaction of its own, synced before it counts.
"""

from __future__ import annotations

import json
import re
import sqlite3
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

QUEUED, RUNNING, DONE, FAILED, CANCELLED = "queued", "running", "done", "failed", "cancelled"
#: States that a job does not leave.
FINAL = (DONE, FAILED, CANCELLED)
SHORT, LONG, FETCH = "short", "long", "fetch"
# File systems on which several hosts may see the database: no shared memory, so no write-ahead log.
_NETWORK = re.compile(
    r"nfs\d*|cifs|smb\d*|smbfs|lustre|gpfs|beegfs|ceph|fuse\..*|glusterfs|afs|9p|drvfs|panfs|orangefs|pvfs2|virtiofs"
)
_SCHEMA = """
create table if not exists jobs (
  place integer primary key autoincrement,
  id text not null unique,
  owner text not null,
  status text not null,
  lane text not null,
  created real not null,
  started real,
  finished real,
  attempts integer not null default 0,
  crashes integer not null default 0,
  idempotency text,
  error text not null default '',
  fields text not null
);
create unique index if not exists same_request on jobs (owner, idempotency) where idempotency is not null;
create index if not exists by_status on jobs (status, lane, place);
create table if not exists watched (
  path text primary key,
  stamp text not null,
  job text not null,
  outputs text not null default '[]'
);
"""


@dataclass(frozen=True)
class JobRecord:
    """A job. ``owner``: name of the token that it belongs to; ``fields``: what was asked for and what is known of it.

    Of ``fields``: ``name`` (of the file, as the client calls it), ``file`` (as it is called here), ``row`` (columns of
    the table), ``model``, ``task``, ``duration``, ``recording``, ``address``, ``callback``, ``watched`` ...
    """

    place: int
    id: str
    owner: str
    status: str
    lane: str
    created: float
    started: float | None = None
    finished: float | None = None
    attempts: int = 0
    crashes: int = 0
    idempotency: str | None = None
    error: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_final(self) -> bool:
        """Whether the job is done, failed or cancelled."""
        return self.status in FINAL


_COLUMNS = tuple(one.name for one in fields(JobRecord))


def file_system_of(path: Path, mounts: str | None = None) -> str:
    """Returns the type of the file system that ``path`` lies on; empty where the system does not tell."""
    if mounts is None:
        try:
            mounts = Path("/proc/mounts").read_text(errors="replace")
        except OSError:
            return ""
    best, kind = -1, ""
    where = str(path.resolve())
    for line in mounts.splitlines():
        parts = line.split()
        if len(parts) < 3:
            continue
        point = parts[1].replace("\\040", " ")
        inside = where == point or where.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= best:
            best, kind = len(point), parts[2]
    return kind


def is_network(kind: str) -> bool:
    """Whether other hosts may see a file system of this type."""
    return _NETWORK.fullmatch(kind) is not None


class JobQueue:
    """The jobs of a state folder."""

    def __init__(self, state: Path) -> None:
        state.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._db = sqlite3.connect(state / "queue.sqlite", isolation_level=None, check_same_thread=False)
        self._db.row_factory = sqlite3.Row
        if is_network(file_system_of(state)):
            self._db.execute("pragma locking_mode=exclusive")
            self._db.execute("pragma journal_mode=delete")
        else:
            self._db.execute("pragma journal_mode=wal")
        self._db.execute("pragma synchronous=full")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._db.close()

    def add(
        self,
        job: str,
        owner: str,
        lane: str,
        values: Mapping[str, Any],
        idempotency: str | None = None,
        watched: tuple[str, str] | None = None,
    ) -> JobRecord:
        """Accept a job. Returns it, or the earlier one with the same owner and ``idempotency``.

        ``watched``: path and stamp of the file of the watched folder that the job is of, noted with it or not at all.
        """
        with self._lock, self._db:
            self._db.execute("begin immediate")
            if watched is not None:
                self._watch(*watched, job)
            self._db.execute(
                "insert into jobs (id, owner, status, lane, created, idempotency, fields) values (?,?,?,?,?,?,?) "
                "on conflict do nothing",
                (job, owner, QUEUED, lane, time.time(), idempotency, json.dumps(dict(values))),
            )
            found = self._one("id = ?", job)
            if found is None and idempotency is not None:
                found = self._one("owner = ? and idempotency = ?", owner, idempotency)
        assert found is not None
        return found

    def get(self, job: str) -> JobRecord | None:
        """Returns a job."""
        with self._lock:
            return self._one("id = ?", job)

    def same_request(self, owner: str, idempotency: str) -> JobRecord | None:
        """Returns the job that this owner has sent with this key, if any."""
        with self._lock:
            return self._one("owner = ? and idempotency = ?", owner, idempotency)

    def waiting(self, lane: str, limit: int = 1000) -> list[JobRecord]:
        """Returns queued jobs of a lane, the oldest first."""
        return self._all("status = ? and lane = ? order by place limit ?", QUEUED, lane, limit)

    def in_turns(self, lane: str, limit: int) -> list[JobRecord]:
        """Returns queued jobs of a lane so that clients take turns: the oldest of each, then the next of each.

        A client with thousands of jobs does not keep the first of another out of the list.
        """
        turn = "row_number() over (partition by owner order by place)"
        found = f"select *, {turn} as turn from jobs where status = ? and lane = ?"
        chosen = f"select {', '.join(_COLUMNS)} from ({found}) order by turn, place limit ?"
        with self._lock:
            rows = self._db.execute(chosen, (QUEUED, lane, limit)).fetchall()
        return [_record(row) for row in rows]

    def with_status(self, *statuses: str) -> list[JobRecord]:
        """Returns all jobs in one of these states, the oldest first."""
        marks = ",".join("?" * len(statuses))
        return self._all(f"status in ({marks}) order by place", *statuses)

    def of_owner(self, owner: str, limit: int = 100) -> list[JobRecord]:
        """Returns the newest jobs of an owner."""
        return self._all("owner = ? order by place desc limit ?", owner, limit)

    def counts(self) -> dict[tuple[str, str], int]:
        """Returns the number of jobs by state and lane."""
        with self._lock:
            rows = self._db.execute("select status, lane, count(*) from jobs group by status, lane").fetchall()
        return {(row[0], row[1]): row[2] for row in rows}

    def open_jobs(self, owner: str | None = None) -> int:
        """Returns how many jobs are queued or running, of one owner or of all."""
        where, values = ("", ()) if owner is None else (" and owner = ?", (owner,))
        with self._lock:
            row = self._db.execute(
                f"select count(*) from jobs where status in ('{QUEUED}', '{RUNNING}'){where}", values
            ).fetchone()
        return int(row[0])

    def others_of(self, record: JobRecord) -> int:
        """Returns how many other jobs of the same owner are of a recording with the same name."""
        named = "json_extract(fields, '$.recording') = ?"
        with self._lock:
            row = self._db.execute(
                f"select count(*) from jobs where owner = ? and id != ? and {named}",
                (record.owner, record.id, record.fields.get("recording")),
            ).fetchone()
        return int(row[0])

    def ahead_of(self, record: JobRecord) -> int:
        """Returns how many queued jobs of the same lane come before this one."""
        with self._lock:
            row = self._db.execute(
                "select count(*) from jobs where status = ? and lane = ? and place < ?",
                (QUEUED, record.lane, record.place),
            ).fetchone()
        return int(row[0])

    def update(self, job: str, *, only_from: Iterable[str] = (), **changes: Any) -> bool:
        """Change columns of a job; values of ``fields`` are added to those that are there.

        ``only_from``: states that it must be in. Returns whether it was changed.
        """
        with self._lock:
            found = self._one("id = ?", job)
            allowed = tuple(only_from)
            if found is None or (allowed and found.status not in allowed):
                return False
            if "fields" in changes:
                changes["fields"] = json.dumps({**found.fields, **changes["fields"]})
            assignments = ", ".join(f"{name} = ?" for name in changes)
            self._db.execute(f"update jobs set {assignments} where id = ?", (*changes.values(), job))
        return True

    def remove(self, job: str) -> None:
        """Forget a job."""
        with self._lock:
            self._db.execute("delete from jobs where id = ?", (job,))

    def watched(self) -> dict[str, dict[str, Any]]:
        """Returns what is known of the files of the watched folder, by relative path."""
        with self._lock:
            rows = self._db.execute("select path, stamp, job, outputs from watched").fetchall()
        return {
            row["path"]: {"stamp": row["stamp"], "job": row["job"], "outputs": json.loads(row["outputs"])}
            for row in rows
        }

    def watch(self, path: str, stamp: str, job: str) -> None:
        """Note that a version of a watched file is a job."""
        with self._lock:
            self._watch(path, stamp, job)

    def note_outputs(self, path: str, outputs: Iterable[tuple[str, str]]) -> None:
        """Note the transcripts (path, SHA-256) that were written for a watched file."""
        with self._lock:
            self._db.execute("update watched set outputs = ? where path = ?", (json.dumps(list(outputs)), path))

    def _watch(self, path: str, stamp: str, job: str) -> None:
        self._db.execute(
            "insert into watched (path, stamp, job) values (?,?,?) "
            "on conflict (path) do update set stamp = excluded.stamp, job = excluded.job",
            (path, stamp, job),
        )

    def _one(self, where: str, *values: Any) -> JobRecord | None:
        row = self._db.execute(f"select {', '.join(_COLUMNS)} from jobs where {where}", values).fetchone()
        return None if row is None else _record(row)

    def _all(self, where: str, *values: Any) -> list[JobRecord]:
        with self._lock:
            rows = self._db.execute(f"select {', '.join(_COLUMNS)} from jobs where {where}", values).fetchall()
        return [_record(row) for row in rows]


def _record(row: sqlite3.Row) -> JobRecord:
    values = dict(row)
    return JobRecord(**{**values, "fields": json.loads(values["fields"])})
