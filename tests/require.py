"""Parts that a test needs and a machine may lack: skip without them, or fail where all must be there (CI)."""

import os

import pytest

# What `AUDIOGRID_REQUIRE=all` means. A GPU is never part of it: name it (`AUDIOGRID_REQUIRE=all,gpu`).
ALL = frozenset({"model", "speech", "prompts", "music", "slurm", "mpi", "browser", "s3", "gcs", "azure"})


def required() -> frozenset[str]:
    names = frozenset(name.strip() for name in os.environ.get("AUDIOGRID_REQUIRE", "").split(",") if name.strip())
    return (names - {"all"}) | ALL if "all" in names else names


def require(component: str, present: object, how: str) -> None:
    """Go on if ``present``; else skip the test, or fail it if ``AUDIOGRID_REQUIRE`` demands the component.

    ``how``: what to install, e.g. "pip install hibari-tts".
    """
    if present:
        return
    message = f"{component} is not here: {how}"
    if component in required():
        pytest.fail(f"{message} (AUDIOGRID_REQUIRE={os.environ['AUDIOGRID_REQUIRE']})", pytrace=False)
    pytest.skip(message)
