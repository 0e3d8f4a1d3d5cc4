"""The environment in which Snakemake is started: it needs a home folder, which not every user has."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from audiogrid.orchestration import start
from audiogrid.orchestration.start import snakemake_environment


def test_an_ordinary_user_keeps_what_is_set(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    given = {"HOME": str(tmp_path / "home"), "PATH": "/bin", "XDG_CACHE_HOME": str(tmp_path / "cache")}

    found = snakemake_environment(given, tmp_path)

    assert found == {**given, "PATH": f"{Path(sys.executable).parent}{os.pathsep}/bin"}
    assert list(tmp_path.iterdir()) == [tmp_path / "home"]


@pytest.mark.parametrize(
    ("home", "cache"),
    [("missing", None), ("a file", None), ("", None), ("home", "a file/cache")],
)
def test_snakemake_starts_without_a_home_folder(tmp_path: Path, home: str, cache: str | None) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "a file").touch()
    given = {"HOME": str(tmp_path / home) if home else "relative"}
    if cache:
        given["XDG_CACHE_HOME"] = str(tmp_path / cache)

    found = snakemake_environment(given, tmp_path)

    # What Snakemake does first: it looks for profiles, and makes a folder for what it fetches.
    code = """if True:
        import os
        from snakemake.common import get_appdirs
        print(get_appdirs().user_config_dir)
        os.makedirs(get_appdirs().user_cache_dir)
    """
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=found, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / ".snakemake" / "home" / ".cache" / "snakemake").is_dir()
    assert (found["HOME"] == given["HOME"]) == (home == "home")


def test_a_number_without_a_name_gets_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container that runs as somebody who is not in its list of users: Snakemake asks for the name."""

    def unknown() -> str:
        raise KeyError("getpwuid(): uid not found: 31234")

    monkeypatch.setattr(start.getpass, "getuser", unknown)
    assert snakemake_environment({"HOME": str(tmp_path)}, tmp_path)["USER"] == "audiogrid"
    monkeypatch.setattr(start.getpass, "getuser", lambda: "somebody")
    assert "USER" not in snakemake_environment({"HOME": str(tmp_path)}, tmp_path)
