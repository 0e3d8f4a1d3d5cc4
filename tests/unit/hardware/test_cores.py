import pytest

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
