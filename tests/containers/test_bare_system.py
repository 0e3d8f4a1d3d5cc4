"""The install steps of the images in a bare Debian, and a recording transcribed in it: an image without an engine.

Takes minutes and wants root, debootstrap and a mirror of Debian, so it waits to be asked for:
`make test ARGS="tests/containers -m containers"`.
"""

from __future__ import annotations

import ast
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from places import ROOT
from require import require
from speech import word_error_rate

pytestmark = pytest.mark.containers
HOME = "opt/audiogrid"
# Everything below is gone with the namespace it was mounted in.
NAMESPACE = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation=private")
USER = 1000


def dockerfile_variables() -> dict[str, str]:
    """What the Dockerfile sets for the image (ENV of its first stage)."""
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    first = re.search(r"^ENV (.*)$", text, flags=re.MULTILINE)
    assert first
    pairs = dict(word.split("=", 1) for word in shlex.split(first[1]))
    return {name: value.replace("$PATH", "/usr/sbin:/usr/bin:/sbin:/bin") for name, value in pairs.items()}


def pip_settings(root: Path) -> tuple[dict[str, str], list[Path]]:
    """This machine's way to Python packages, as variables for pip in ``root``, and folders to mount there."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True
    ).stdout
    variables, folders = {}, []
    for line in listed.splitlines():
        name, _, literal = line.partition("=")
        value = str(ast.literal_eval(literal))
        key = name.rpartition(".")[2]
        # Certificates, constraints: files of this machine, under names of their own over there.
        for number, path in enumerate(word for word in value.split() if word[0] == "/" and Path(word).is_file()):
            shutil.copy(path, root / f"pip-{key}-{number}")
            value = value.replace(path, f"/pip-{key}-{number}")
        # What an index lists lies beside it.
        folders += [Path(path).parent for path in re.findall(r"file://(/\S+)", value) if Path(path).is_dir()]
        folders += [Path(path) for path in value.split() if path[0] == "/" and Path(path).is_dir()]
        variables[f"PIP_{key.upper().replace('-', '_')}"] = value
    proxies = {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")}
    return {**proxies, **variables}, folders


def inside(root: Path, mounts: list[str], argv: list[str], variables: dict[str, str], *options: str) -> str:
    """Run ``argv`` with ``root`` as its root, after ``mounts``; its output. ``options`` are for unshare."""
    assignments = [f"{name}={value}" for name, value in variables.items()]
    script = "\n".join(["set -e", *mounts, 'exec "$@"'])
    command = [*NAMESPACE, *options, "sh", "-c", script, "sh", "chroot", str(root)]
    done = subprocess.run(
        [*command, "env", "-i", *assignments, *argv],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        errors="replace",
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:]
    return done.stdout


def basic_mounts(root: Path) -> list[str]:
    return [f"mount -t proc proc {root}/proc", f"mount --rbind /dev {root}/dev"]


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A root file system after the steps of the Dockerfile, with Whisper base in it."""
    able = os.geteuid() == 0 and shutil.which("debootstrap")
    require("debootstrap", able, "apt-get install debootstrap, and be root")
    root = tmp_path_factory.mktemp("image") / "root"
    subprocess.run(["debootstrap", "--variant=minbase", "bookworm", str(root)], check=True, stdout=subprocess.DEVNULL)
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        if line.startswith("!"):
            source, target = ROOT / line[1:], root / HOME / line[1:]
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target)
    pip, folders = pip_settings(root)
    mounts = basic_mounts(root)
    for folder in folders:
        (root / folder.relative_to("/")).mkdir(parents=True, exist_ok=True)
        mounts.append(f"mount --bind -o ro {shlex.quote(str(folder))} {shlex.quote(str(root) + str(folder))}")
    for step in (["system"], ["libraries"], ["model", "base"]):
        inside(root, mounts, ["sh", f"/{HOME}/containers/install.sh", *step], {**dockerfile_variables(), **pip})
    yield root
    shutil.rmtree(root)


def test_a_recording_is_transcribed_without_root_network_or_a_writable_image(image, tmp_path):
    recordings, results = tmp_path / "recordings", tmp_path / "results"
    recordings.mkdir()
    results.mkdir()
    os.chown(results, USER, USER)
    # What a shell would choke on.
    shutil.copy(ROOT / "samples" / "recordings" / "night_watch.ogg", recordings / "it's $(night) watch.ogg")
    mounts = [
        f"mount --bind {image} {image}",
        f"mount -o remount,bind,ro {image}",
        *basic_mounts(image),
        f"mount -t tmpfs tmpfs {image}/tmp",
        f"mount --bind {recordings} {image}/recordings",
        f"mount --bind {results} {image}/results",
    ]
    user = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "--no-new-privs"]
    start = [*user, "/opt/venv/bin/python", f"/{HOME}/scripts/container.py"]
    variables = {**dockerfile_variables(), "RUN": "talks", "FORMATS": "txt, srt", "LANGUAGE": "en"}
    output = inside(image, mounts, start, variables, "--net")
    assert "1 of 1 recording(s) transcribed" in output
    run = results / "talks"
    written = sorted(path.name for path in (run / "transcripts").iterdir())
    assert len(written) == 2 and written[0].endswith(".srt")
    reference = (ROOT / "samples" / "references" / "night_watch.txt").read_text()
    assert word_error_rate(reference, (run / "transcripts" / written[1]).read_text()) <= 0.05
    assert {path.stat().st_uid for path in results.rglob("*")} == {USER}
    again = inside(image, mounts, start, variables, "--net")
    assert "Nothing to be done" in again


def test_the_model_is_there_once(image):
    assert (image / "models" / "base" / "model.bin").stat().st_size == 145_217_532
    assert not list((image / "opt/venv/lib").rglob("model.bin.part*"))
