"""Which encoder ``decoding.encoder`` becomes, and that both give the same output."""

from __future__ import annotations

import struct
import sys
from pathlib import Path

import numpy as np
import pytest

from audiogrid.core.errors import InputError
from audiogrid.decoding.whisper.encoder import choose_encoder, load_openvino, openvino_is_installed, processor_flags
from audiogrid.decoding.whisper.encoder_graph import layer_names
from audiogrid.decoding.whisper.weights import encoder_tensors, has_float_encoder

AMX = {"fma", "avx512f", "amx_bf16"}
ZEN4 = {"fma", "avx512f", "avx512_bf16"}
OLD = {"fma", "avx2"}
NUMBERS = {"float32": 0, "int8": 1, "float16": 4, "bfloat16": 5}


def weights_file(folder: Path, kind: str) -> Path:
    """A file with one weight of the encoder and one of the decoder, in CTranslate2's format."""
    values = np.array([[1.5, -2.0], [0.25, 3.0]], dtype=np.float32)
    data = {
        "float32": values,
        "float16": values.astype(np.float16),
        "int8": values.astype(np.int8),
        "bfloat16": (values.view(np.uint32) >> 16).astype(np.uint16),
    }[kind].tobytes()
    parts = [struct.pack("<IH4sII", 6, 4, b"abc\0", 1, 2)]
    for name in ("encoder/layer_0/ffn/linear_0/weight", "decoder/embeddings/weight"):
        parts.append(struct.pack(f"<H{len(name) + 1}s", len(name) + 1, name.encode() + b"\0"))
        parts.append(struct.pack("<BIIBI", 2, 2, 2, NUMBERS[kind], len(data)) + data)
    (folder / "model.bin").write_bytes(b"".join(parts))
    return folder


@pytest.mark.parametrize(
    ("wanted", "device", "compute_type", "flags", "installed", "became"),
    [
        ("auto", "cpu", "auto", AMX, True, "openvino bfloat16"),
        ("auto", "cpu", "int8", ZEN4, True, "openvino bfloat16"),
        # Imitated bfloat16 is slow; float32 gains nothing.
        ("auto", "cpu", "auto", OLD, True, "ctranslate2"),
        ("auto", "cpu", "auto", set(), True, "ctranslate2"),
        ("auto", "cpu", "auto", AMX, False, "ctranslate2"),
        # Who asks for float32 gets it.
        ("auto", "cpu", "float32", AMX, True, "ctranslate2"),
        ("auto", "cuda", "auto", AMX, True, "ctranslate2"),
        ("ctranslate2", "cpu", "auto", AMX, True, "ctranslate2"),
        ("openvino", "cpu", "auto", OLD, True, "openvino float32"),
        ("openvino", "cpu", "float32", AMX, True, "openvino float32"),
        ("openvino", "cpu", "int8", ZEN4, True, "openvino bfloat16"),
        ("openvino", "cuda", "auto", AMX, False, "ctranslate2"),
    ],
)
def test_the_encoder_follows_from_processor_model_and_installation(
    tmp_path: Path, wanted: str, device: str, compute_type: str, flags: set[str], installed: bool, became: str
) -> None:
    folder = weights_file(tmp_path, "float16")
    assert choose_encoder(wanted, device, compute_type, folder, flags, lambda: installed) == became


def test_quantised_weights_keep_ctranslate2(tmp_path: Path) -> None:
    folder = weights_file(tmp_path, "int8")
    assert not has_float_encoder(folder)
    assert choose_encoder("auto", "cpu", "auto", folder, AMX, lambda: True) == "ctranslate2"
    with pytest.raises(InputError, match=r"stored in int8: use 'auto' or 'ctranslate2'"):
        choose_encoder("openvino", "cpu", "auto", folder, AMX, lambda: True)


def test_asking_for_what_is_not_installed_is_an_error_with_a_way_out(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="pip install openvino, or use 'auto'"):
        choose_encoder("openvino", "cpu", "auto", weights_file(tmp_path, "float16"), AMX, lambda: False)


@pytest.mark.parametrize("kind", ["float32", "float16", "bfloat16"])
def test_tensors_are_read_in_every_precision(tmp_path: Path, kind: str) -> None:
    (tensors,) = [encoder_tensors(weights_file(tmp_path, kind))]
    assert list(tensors) == ["layer_0/ffn/linear_0/weight"]
    assert tensors["layer_0/ffn/linear_0/weight"].tolist() == [[1.5, -2.0], [0.25, 3.0]]


def test_damaged_weights_name_the_file(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"\x06\0\0\0\xff")
    with pytest.raises(InputError, match=r"model\.bin is damaged"):
        encoder_tensors(tmp_path)


def test_layers_are_counted_by_number_not_by_name() -> None:
    names = [f"layer_{number}/ffn/linear_0/weight" for number in (10, 2, 0)] + ["layer_norm/gamma"]
    assert layer_names(dict.fromkeys(names, np.zeros(1))) == ["layer_0", "layer_2", "layer_10"]


def test_processor_flags_are_read_from_the_first_processor(tmp_path: Path) -> None:
    file = tmp_path / "cpuinfo"
    file.write_text("processor\t: 0\nflags\t\t: fma amx_bf16\nprocessor\t: 1\nflags\t\t: fma\n")
    assert processor_flags(file) == {"fma", "amx_bf16"}
    assert processor_flags(tmp_path / "none") == set()


def test_both_encoders_compute_the_same(base_model: Path) -> None:
    """In float32; the input is shorter than 30 s, which both take."""
    ctranslate2 = pytest.importorskip("ctranslate2")
    pytest.importorskip("openvino")
    features = np.random.default_rng(1).normal(0, 0.5, (1, 80, 400)).astype(np.float32)
    model = ctranslate2.models.Whisper(str(base_model), compute_type="float32", intra_threads=1)
    view = ctranslate2.StorageView.from_array(features)
    wanted = np.array(model.encode(view, to_cpu=True))
    found = load_openvino(base_model, "openvino float32", 1)(features)
    assert found.shape == wanted.shape == (1, 200, 512)
    assert np.abs(found - wanted).max() < 1e-3
    # One thread or two: the same bits.
    again = load_openvino(base_model, "openvino float32", 2)(features)
    assert np.array_equal(found, again)


def test_an_openvino_that_does_not_load_counts_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    openvino_is_installed.cache_clear()
    # What an import of a package without its shared libraries does.
    monkeypatch.setitem(sys.modules, "openvino", None)
    assert not openvino_is_installed()
    openvino_is_installed.cache_clear()
