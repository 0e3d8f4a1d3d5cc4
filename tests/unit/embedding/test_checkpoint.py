"""Checkpoints are read without PyTorch, and what is hostile in them is never run."""

from __future__ import annotations

import pickle
import zipfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audiogrid.core.errors import InputError
from audiogrid.embedding.networks.checkpoint import LARGEST_PICKLE, read_tensors

PAIR = np.arange(6, dtype="<f4")


def number(value: int) -> bytes:
    return b"J" + value.to_bytes(4, "little", signed=True)


def text(value: str) -> bytes:
    return b"X" + len(value.encode()).to_bytes(4, "little") + value.encode()


def numbers(*values: int) -> bytes:
    return b"(" + b"".join(map(number, values)) + b"t"


def tensor(offset: int = 0, shape: tuple[int, ...] = (2, 3), strides: tuple[int, ...] = (3, 1)) -> bytes:
    storage = b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text("0") + text("cpu") + number(6) + b"tQ"
    rest = number(offset) + numbers(*shape) + numbers(*strides) + b"\x89" + b"ccollections\nOrderedDict\n)R"
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + rest + b"tR"


def state(value: bytes, name: str = "weight") -> bytes:
    return b"\x80\x02}" + text(name) + value + b"s."


def checkpoint(folder: Path, data: bytes, **extra: bytes) -> Path:
    path = folder / "weights.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", data)
        archive.writestr("archive/data/0", PAIR.tobytes())
        for name, content in extra.items():
            archive.writestr(f"{name}/data.pkl", content)
    return path


def test_tensors_come_with_their_shapes_also_from_nested_dictionaries(tmp_path: Path) -> None:
    found = read_tensors(checkpoint(tmp_path, b"\x80\x02}" + text("state_dict") + b"}" + text("a") + tensor() + b"ss."))
    assert found.keys() == {"state_dict.a"}
    np.testing.assert_array_equal(found["state_dict.a"], PAIR.reshape(2, 3))
    turned = read_tensors(checkpoint(tmp_path, state(tensor(1, (2, 2), (1, 2)))))
    np.testing.assert_array_equal(turned["weight"], [[1, 3], [2, 4]])


@pytest.mark.parametrize(
    "function", ["os system", "builtins eval", "builtins exec", "subprocess call", "shutil rmtree"]
)
def test_no_function_that_a_pickle_names_is_called(function: str, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    module, name = function.split()
    command = f"touch {mark}" if name in ("system", "call") else f"open({str(mark)!r}, 'w')"
    call = f"c{module}\n{name}\n".encode() + b"(" + text(command) + b"tR"
    found = read_tensors(checkpoint(tmp_path, b"\x80\x02}" + text("a") + call + b"s" + text("b") + tensor() + b"s."))
    assert found.keys() == {"b"}
    assert not mark.exists()


class Evil:
    def __init__(self, mark: str) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (Path(self.mark),)


@pytest.mark.parametrize("protocol", range(6))
def test_objects_that_python_itself_pickled_do_nothing(protocol: int, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    path = checkpoint(tmp_path, pickle.dumps({"weight": Evil(str(mark))}, protocol))
    with suppress(InputError):
        assert read_tensors(path) == {}
    assert not mark.exists()


@pytest.mark.parametrize(
    "data",
    [
        b"\x80\x02(ios\nsystem\n.",  # INST
        b"\x80\x02\x82\x01.",  # EXT1
        b"\x80\x05\x97.",  # NEXT_BUFFER
        b"\x80\x02}r\xff\xff\xff\x7f.",  # a memo of 2 GiB
        b"\x80\x02}",  # no end
        b"",
        b"not a pickle",
    ],
)
def test_operations_that_no_checkpoint_needs_are_refused(data: bytes, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"weights\.pt cannot be read as a PyTorch checkpoint: .*Fetch it again"):
        read_tensors(checkpoint(tmp_path, data))


@pytest.mark.parametrize(
    "value",
    [
        tensor(shape=(2, 4), strides=(4, 1)),
        tensor(offset=1),
        tensor(shape=(6,), strides=(1 << 30,)),
        tensor(offset=-1),
        tensor(strides=(-3, -1)),
        tensor(shape=(1 << 30, 1 << 30), strides=(0, 0)),
        tensor(shape=(6,)),
    ],
)
def test_a_tensor_reaches_nowhere_but_into_its_storage(value: bytes, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="tensor"):
        read_tensors(checkpoint(tmp_path, state(value)))


def test_what_is_no_checkpoint_is_named(tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    path.write_bytes(b"PK" + bytes(100))
    for problem in (path, tmp_path / "absent.pt"):
        with pytest.raises(InputError, match=str(problem)):
            read_tensors(problem)
    with pytest.raises(InputError, match="exactly one"):
        read_tensors(checkpoint(tmp_path, state(tensor()), other=state(tensor())))
    with pytest.raises(InputError, match="exactly one small"):
        read_tensors(checkpoint(tmp_path, bytes(LARGEST_PICKLE + 1)))


@given(st.binary(max_size=200), st.integers(0, 200))
def test_a_damaged_pickle_is_refused_or_harmless(noise: bytes, at: int) -> None:
    import tempfile

    good = state(tensor())
    with tempfile.TemporaryDirectory() as folder:
        for data in (good[:at] + noise + good[at + len(noise) :], b"\x80\x02" + noise):
            try:
                found = read_tensors(checkpoint(Path(folder), data))
            except InputError:
                continue
            assert all(isinstance(value, np.ndarray) for value in found.values())
