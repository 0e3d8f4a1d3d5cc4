"""The sample of corrections in the repository: its file can be read, and its name and contents belong together."""

from __future__ import annotations

from audiogrid.corrections.corrections_file import list_files, read, to_text
from places import ROOT


def test_the_sample_is_as_the_program_writes_it() -> None:
    files = list_files(ROOT / "samples" / "corrections")
    (path,) = files["harbour_walk"]
    found = read(path)
    assert found.mistakes == ()
    assert to_text(found) == path.read_text()
    assert path.name == found.file_name
    assert len(found.passages) == 15
    # It makes the transcript say what the reference says.
    reference = (ROOT / "samples" / "references" / "harbour_walk.txt").read_text()
    for entry in found.passages:
        assert entry.text in reference
