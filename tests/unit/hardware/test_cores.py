from types import SimpleNamespace

import pytest

from audiogrid.hardware import cores
from audiogrid.hardware.cores import divide, usable_cores, usable_memory

GB = 1 << 30


@pytest.mark.parametrize(
    "cores, model, memory, expected",
    [
        (1, 0.15 * GB, 8 * GB, (1, 1)),
        (2, 0.15 * GB, 24 * GB, (2, 1)),
        (8, 0.15 * GB, 64 * GB, (8, 1)),
        (64, 0.15 * GB, 512 * GB, (32, 2)),
        (8, 3 * GB, 32 * GB, (2, 4)),
        (4, 3 * GB, 4 * GB, (1, 4)),
    ],
)
def test_division_of_cores(cores, model, memory, expected):
    division = divide(cores, int(model), int(memory))
    assert (division.processes, division.threads) == expected


def test_what_the_user_says_holds():
    assert divide(8, GB, GB, processes=3, threads=2) == divide(2, GB, GB, processes=3, threads=2)
    assert divide(8, GB, 64 * GB, processes=2).threads == 4
    assert divide(8, GB, 64 * GB, threads=4).processes == 2


def test_this_machine_has_something():
    assert usable_cores() >= 1
    assert usable_memory() > 1 << 26


@pytest.mark.parametrize(
    ("files", "free"),
    [
        # After `split` nearly all that a container uses is page cache.
        (
            {
                "memory.max": "4000000000",
                "memory.current": "3900000000",
                "memory.stat": "anon 300000000\ninactive_file 3000000000\nactive_file 500000000\nshmem 7\n",
            },
            3_600_000_000,
        ),
        # Version 1, with a group below this one.
        (
            {
                "memory.limit_in_bytes": "4000000000",
                "memory.usage_in_bytes": "3900000000",
                "memory.stat": "inactive_file 10\ntotal_inactive_file 1000000000\ntotal_active_file 200000000\n",
            },
            1_300_000_000,
        ),
        ({"memory.max": "4000000000", "memory.current": "3900000000"}, 100_000_000),
        ({"memory.max": "1000", "memory.current": "2000", "memory.stat": "nonsense"}, 0),
    ],
)
def test_page_cache_is_not_used_memory(tmp_path, monkeypatch, files, free):
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    import psutil

    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=1 << 40))
    monkeypatch.setattr(cores, "_cgroup_folders", lambda controller: [tmp_path])
    assert usable_memory() == free
    if free > 3_000_000_000:
        assert divide(2, 145_000_000, usable_memory()).processes == 2


def test_without_a_limit_the_machines_memory_counts(tmp_path, monkeypatch):
    (tmp_path / "memory.max").write_text("max\n")
    monkeypatch.setattr(cores, "_cgroup_folders", lambda controller: [tmp_path])
    assert usable_memory() > 1 << 26
