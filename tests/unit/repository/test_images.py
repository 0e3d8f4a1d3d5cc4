"""Dockerfile, compose file, Apptainer definition and conda environment: one recipe, no root, nothing missing."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from places import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
INSTALL = re.compile(r"sh (?:/opt/audiogrid/)?containers/install\.sh (\w+) ?(.*)")
#: The steps of an image; what is in braces is chosen when it is built.
STEPS = [("system", ""), ("libraries", "{extras}"), ("model", "{model}")]


def instructions() -> list[tuple[str, str]]:
    """Instructions of the Dockerfile with their arguments."""
    text = re.sub(r"^\s*#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    return [(line.split()[0], line.split(maxsplit=1)[1].strip()) for line in text.splitlines() if line.strip()]


def stages() -> dict[str, list[tuple[str, str]]]:
    """Target -> its instructions and those of the stages that it is built on."""
    found: dict[str, list[tuple[str, str]]] = {}
    current: list[tuple[str, str]] = []
    for word, rest in instructions():
        if word == "FROM":
            base, _, name = rest.partition(" AS ")
            current = found[name] = [*found.get(base, []), (word, rest)]
        else:
            current.append((word, rest))
    return found


def definition() -> dict[str, list[str]]:
    """Section of the Apptainer definition -> its lines."""
    parts = re.split(r"^%(\w+)\n", (ROOT / "containers" / "audiogrid.def").read_text(), flags=re.MULTILINE)
    lines = {
        name: [line.strip() for line in body.splitlines()] for name, body in zip(parts[1::2], parts[2::2], strict=True)
    }
    lines["header"] = parts[0].splitlines()
    return {name: [line for line in body if line and not line.startswith("#")] for name, body in lines.items()}


def install_steps(commands: list[str]) -> list[tuple[str, str]]:
    """Steps of install.sh; fails for any other command."""
    matches = [INSTALL.fullmatch(command) for command in commands]
    assert all(matches), commands
    names = (("$MODEL", "{model}"), ("{{ MODEL }}", "{model}"), ("$EXTRAS", "{extras}"), ("{{ EXTRAS }}", "{extras}"))
    found = []
    for match in matches:
        assert match
        choice = match[2].strip('"')
        # Nothing of a build argument is read by a shell.
        assert choice == match[2] or match[2] == f'"{choice}"'
        for name, meaning in names:
            choice = choice.replace(name, meaning)
        found.append((match[1], choice))
    return found


@pytest.mark.parametrize(("target", "extra"), [("cpu", "{extras}"), ("cuda", "cuda,{extras}")])
def test_targets_run_the_install_steps_and_nothing_else(target, extra):
    steps = install_steps([rest for word, rest in stages()[target] if word == "RUN"])
    assert steps == [(step, choice.replace("{extras}", extra)) for step, choice in STEPS]


def test_the_apptainer_image_takes_the_same_steps():
    assert install_steps(definition()["post"]) == STEPS


def test_the_script_knows_these_steps():
    script = ROOT / "containers" / "install.sh"
    subprocess.run(["sh", "-n", str(script)], check=True)
    functions = set(re.findall(r"^(\w+)\(\) \{$", script.read_text(), flags=re.MULTILINE))
    assert functions == {step for step, _ in STEPS}
    # Elsewhere than in an image it does nothing.
    refused = subprocess.run(["sh", str(script), "system"], capture_output=True, text=True, check=False)
    assert refused.returncode == 2 and "/opt/audiogrid" in refused.stderr


@pytest.mark.parametrize("target", ["cpu", "cuda"])
def test_no_root_at_run_time(target):
    words = [word for word, _ in stages()[target]]
    users = [rest for word, rest in stages()[target] if word == "USER"]
    assert users == ["audiogrid"]
    assert words.index("USER") > max(index for index, word in enumerate(words) if word == "RUN")
    assert "useradd --uid 1000" in (ROOT / "containers" / "install.sh").read_text()


def test_images_begin_with_one_named_release():
    bases = {rest for word, rest in instructions() if word == "ARG" and rest.startswith("BASE=")}
    bases |= {line for line in definition()["arguments"] if line.startswith("BASE=")}
    assert bases == {"BASE=docker.io/library/debian:bookworm-slim"}
    everything = "".join(
        (ROOT / name).read_text() for name in ("Dockerfile", "compose.yaml", "containers/audiogrid.def")
    )
    assert ":latest" not in everything


def test_everything_that_is_copied_is_there():
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    context = {line[1:] for line in ignored if line.startswith("!")}
    assert all((ROOT / name).exists() for name in context)
    copied = {source for word, rest in instructions() if word == "COPY" for source in rest.split()[:-1]} - {"."}
    assert all(any(Path(source).is_relative_to(name) for name in context) for source in copied)
    # Both kinds of image hold the same.
    files = dict(line.split() for line in definition()["files"])
    assert set(files) == context
    assert all(target == f"/opt/audiogrid/{source}" for source, target in files.items())


def test_what_is_installed_exists():
    extras = PROJECT["optional-dependencies"]
    assert "cuda" in extras
    # Weights are fetched by stage_model: no package of theirs is installed into an image.
    assert not any("whisper-base" in package for packages in extras.values() for package in packages)


def compose() -> dict[str, Any]:
    content = yaml.safe_load((ROOT / "compose.yaml").read_text())
    assert isinstance(content, dict)
    return content


def test_compose_services_are_targets_and_nobody_is_root():
    services = compose()["services"]
    for service in services.values():
        target = service["build"]["target"]
        assert target in stages()
        assert service["image"] in (f"audiogrid:{target}", "audiogrid:serve", "audiogrid:serve-cuda")
    plain = services["audiogrid"]
    assert plain["user"] == "${UID:-1000}:${GID:-1000}"
    assert plain["read_only"] is True
    assert "deploy" not in plain and "privileged" not in plain
    [gpu] = services["audiogrid-gpu"]["deploy"]["resources"]["reservations"]["devices"]
    assert gpu["capabilities"] == ["gpu"]


def test_compose_serves_with_tokens_beyond_this_machine_only_through_a_proxy():
    services = compose()["services"]
    serve = services["serve"]
    assert serve["build"]["args"]["EXTRAS"] in PROJECT["optional-dependencies"]
    assert serve["ports"] == ["127.0.0.1:${PORT:-8010}:8010"]
    assert serve["read_only"] is True and serve["user"] == services["audiogrid"]["user"]
    [gpu] = services["serve-gpu"]["deploy"]["resources"]["reservations"]["devices"]
    assert gpu["driver"] == "nvidia" and gpu["capabilities"] == ["gpu"]
    assert not any("runtime" in service for service in services.values())


def test_compose_mounts_what_the_image_has():
    plain = compose()["services"]["audiogrid"]
    targets = {mount["target"] if isinstance(mount, dict) else mount.split(":")[1] for mount in plain["volumes"]}
    made = re.search(r"mkdir -p (/.*)", (ROOT / "containers" / "install.sh").read_text())
    assert made and targets == set(made[1].split())
    by_target = {mount["target"]: mount for mount in plain["volumes"] if isinstance(mount, dict)}
    assert by_target["/recordings"]["read_only"] is True


def test_conda_installs_what_pip_does():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    python, pip, by_pip = environment["dependencies"]
    assert python.split(",")[0] == f"python {PROJECT['requires-python']}"
    assert pip == "pip"
    spec = importlib.util.spec_from_file_location("environment", ROOT / "scripts" / "environment.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    # Every dependency comes from pyproject.toml, in the versions of constraints.txt, with the extras of `make run`.
    assert by_pip == {"pip": ["-c constraints.txt", f"-e .{module.EXTRAS['run']}"]}
    assert set(re.findall(r"\w+", module.EXTRAS["dev"])) <= set(PROJECT["optional-dependencies"])
