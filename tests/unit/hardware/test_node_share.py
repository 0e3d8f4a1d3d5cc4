import pytest

from audiogrid.hardware.node_share import divide_among_ranks, list_visible, parse_gpus, share_node, usable_core_numbers

GPUS = {"0": ["GPU-aa"], "1": ["GPU-ab"], "2": ["GPU-b"]}
# As `nvidia-smi -L` prints it.
LISTING = """\
GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-5d5ba0d6-d33d-2b2c-524d-9e3d8d2b8a77)
  MIG 1g.5gb      Device  0: (UUID: MIG-c6d4f1ef-42e4-5de3-91c7-45d71c87eb3f)
  MIG 1g.5gb      Device  1: (UUID: MIG-0c757cd7-e942-5726-a0b8-0e8fb7067135)
GPU 1: NVIDIA A100-SXM4-40GB (UUID: GPU-6d5ba0d6-d33d-2b2c-524d-9e3d8d2b8a77)
  MIG 7g.40gb     Device  0: (UUID: MIG-GPU-6d5ba0d6-d33d-2b2c-524d-9e3d8d2b8a77/0/0)
GPU 2: Tesla T4 (UUID: GPU-b)
"""


def test_ranks_that_see_the_same_cores_share_them():
    assert divide_among_ranks([range(8)] * 2) == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert [len(share) for share in divide_among_ranks([range(8)] * 3)] == [3, 3, 2]


def test_ranks_that_are_bound_keep_their_cores():
    assert divide_among_ranks([[0, 1], [2, 3], [4, 5, 6]]) == [[0, 1], [2, 3], [4, 5, 6]]


def test_what_overlaps_in_part_goes_to_whoever_has_less():
    assert divide_among_ranks([[0, 1, 2, 3], [3, 4]]) == [[0, 1, 2], [4, 3]]


def test_nothing_is_dealt_twice_and_nothing_is_lost():
    shares = divide_among_ranks([range(10), range(5, 20), range(10), [3]])
    dealt = [thing for share in shares for thing in share]
    assert sorted(dealt) == list(range(20))


def test_more_ranks_than_gpus_leave_some_without():
    assert divide_among_ranks([["GPU-a"], ["GPU-a"], ["GPU-a"]]) == [["GPU-a"], [], []]


def test_gpus_and_slices_are_known_by_their_uuid():
    assert parse_gpus("GPU 0: Tesla T4 (UUID: GPU-aa)\nGPU 1: Tesla T4 (UUID: GPU-ab)\n") == {
        "0": ["GPU-aa"],
        "1": ["GPU-ab"],
    }
    assert parse_gpus("No devices were found\n") == {}
    slices = ["MIG-c6d4f1ef-42e4-5de3-91c7-45d71c87eb3f", "MIG-0c757cd7-e942-5726-a0b8-0e8fb7067135"]
    old_style = "MIG-GPU-6d5ba0d6-d33d-2b2c-524d-9e3d8d2b8a77/0/0"
    assert parse_gpus(LISTING) == {"0": slices, "1": [old_style], "2": ["GPU-b"]}
    # A divided GPU stands for its slices, and a slice may be named by its beginning.
    assert list_visible({"CUDA_VISIBLE_DEVICES": "0,2"}, parse_gpus(LISTING)) == [*slices, "GPU-b"]
    assert list_visible({"CUDA_VISIBLE_DEVICES": "MIG-0c75"}, parse_gpus(LISTING)) == slices[1:]
    assert list_visible({}, parse_gpus(LISTING)) == [*slices, old_style, "GPU-b"]


def test_slices_are_divided_among_ranks_like_gpus():
    seen = list_visible({}, parse_gpus(LISTING))
    shares = divide_among_ranks([seen, seen, seen[:1]])
    assert sorted(gpu for share in shares for gpu in share) == sorted(seen)
    assert shares[2] == seen[:1]


@pytest.mark.parametrize(
    ("variable", "seen"),
    [
        (None, ["GPU-aa", "GPU-ab", "GPU-b"]),
        ("", []),
        ("-1", []),
        ("1", ["GPU-ab"]),
        ("2,0", ["GPU-b", "GPU-aa"]),
        ("0,9,1", ["GPU-aa"]),
        ("GPU-b", ["GPU-b"]),
        ("GPU-a", ["GPU-a"]),
        ("MIG-1234", ["MIG-1234"]),
        ("0,0", ["GPU-aa"]),
    ],
)
def test_cuda_visible_devices_is_respected(variable, seen):
    environment = {} if variable is None else {"CUDA_VISIBLE_DEVICES": variable}
    assert list_visible(environment, GPUS) == seen


def test_two_ranks_that_both_call_their_gpu_0_do_not_collide():
    one = list_visible({"CUDA_VISIBLE_DEVICES": "0"}, {"0": ["GPU-aa"]})
    other = list_visible({"CUDA_VISIBLE_DEVICES": "0"}, {"0": ["GPU-ab"]})
    assert divide_among_ranks([one, other]) == [["GPU-aa"], ["GPU-ab"]]


def test_the_share_of_a_rank():
    share = share_node(1, [range(8), range(8)], 8, [["GPU-aa", "GPU-b"], ["GPU-aa", "GPU-b"]])
    assert (share.cores, share.ranks, share.gpus) == (4, 2, ["GPU-b"])
    # A quota of four cores for a container that sees eight is for all its ranks.
    assert share_node(0, [range(8), range(8)], 4, []).cores == 2
    assert share_node(0, [[0], [0], [0]], 1, [[], [], []]).cores == 1
    assert share_node(2, [[0], [0], [0]], 1, [[], [], []]).gpus is None


def test_this_process_may_run_somewhere():
    assert usable_core_numbers()
