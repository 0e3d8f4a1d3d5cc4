"""Memory that really runs out, on a CPU: CTranslate2's own error, half the batch, the same tokens."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from places import SCRIPTS

pytestmark = pytest.mark.workflow

# Every window is the same, so that a large batch costs one encoding. The address space is cut until it is too small.
PROGRAM = """
import json, resource, sys
from pathlib import Path
from audiogrid.hardware.known_clip import read_clip
from audiogrid.decoding.whisper.device_errors import OutOfMemoryError
from audiogrid.decoding.whisper.model import Model
from audiogrid.decoding.options import DecodeOptions

model = Model(Path(sys.argv[1]), "cpu", "auto", 1, 16)
windows = model.encode([read_clip()]) * 16

def read(model):
    return [heard.tokens for heard in model.generate(windows, ["en"] * 16, DecodeOptions(max_tokens=8), beam_size=1)]

def used():
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()

least = used()
expected = read(model)
found, adapted = None, []
for megabytes in range(1000, 0, -50):
    model.close()
    model = Model(Path(sys.argv[1]), "cpu", "auto", 1, 16)
    resource.setrlimit(resource.RLIMIT_AS, (least + (megabytes << 20), resource.RLIM_INFINITY))
    try:
        found = read(model)
    except OutOfMemoryError as error:
        found, adapted = None, [str(error)]
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    adapted = model.adapted or adapted
    if adapted:
        break
print(json.dumps({"same": found == expected, "adapted": adapted, "words": len(expected[0])}))
"""


def test_a_batch_that_does_not_fit_is_halved_and_reads_the_same(base_model: Path):
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(SCRIPTS)}
    argv = [sys.executable, "-c", PROGRAM, str(base_model)]
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["words"] > 3
    assert "went on with" in answer["adapted"][0] and "alloc" in answer["adapted"][0], answer
    assert answer["same"], answer
