"""A glossary in a real run: names come out as they are spelt, nothing is decoded again, and a kill costs nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import soundfile

from runs import jobs, stored, text
from speech import RATE, read_aloud
from workspaces import Workspace

pytestmark = pytest.mark.workflow

NAMES = ["Harvshaisov", "Jelot Varckgain", "Tresporskit", "Quivdruseth", "Meshthot Ziltrojersa"]
DEEDS = [
    "repaired the old clock above the station.",
    "sold twelve baskets of apples at the market.",
    "wrote a long letter to the city council.",
    "found a silver coin under the stairs.",
    "taught the children a song about winter.",
]
# Terms that nobody says: some sound like words of the sentences, one is such a word.
OTHERS = ["Harnbo", "Douxhus", "Clark Stayshun", "letter", "Mesmoleth", "Tavrin Ostalow"]


def test_a_glossary_of_a_run(workspace: Workspace, tmp_path: Path) -> None:
    speech = read_aloud([f"Captain Morris met {name}, who {deed}" for name, deed in zip(NAMES, DEEDS, strict=True)])
    folder = workspace.path / "in"
    folder.mkdir()
    soundfile.write(folder / "talk.wav", speech.pcm, RATE)
    options = ("--config", "run=r", "recordings=in", "language=en", "formats=json,txt,html")
    run, store = workspace.path / "results" / "r", workspace.path / "results" / "store"
    workspace.snakemake(*options)
    plain = text(run, "talk")
    missing = [name for name in NAMES if name not in plain]
    assert len(missing) >= 3, f"the model knows these names: {plain}"
    decoded = stored(store)

    # A worker is killed while it judges: that chunk is tried again.
    glossary = workspace.path / "our names.txt"
    glossary.write_text("\n".join([*NAMES, *OTHERS]))
    faults = tmp_path / "faults" / "faults.json"
    faults.parent.mkdir()
    faults.write_text(json.dumps({"align:talk.0000": {"do": "kill", "times": 1}}))
    named = (*options, "glossary=our names.txt")
    workspace.snakemake(*named, env={"AUDIOGRID_FAULTS": str(faults)})
    done = jobs(workspace.path)
    assert (done["split"], done["align"], done["merge"]) == (1, 1, 1)
    assert "attempt 2 of 2 follows" in (run / "logs" / "align" / "s0001.log").read_text()
    document = json.loads((run / "transcripts" / "talk.json").read_text())
    changes = document["glossary"]
    put = [one["term"] for one in changes]
    assert len(put) >= 3 and set(put) <= set(missing), changes
    for one in changes:
        assert one["term"] in text(run, "talk") and one["heard"] in plain
        assert one["term_logprob"] > one["heard_logprob"] and one["reason"] == "audio"
    # Every other word stays as it was heard.
    back = text(run, "talk")
    for one in changes:
        back = back.replace(one["term"], one["heard"], 1)
    assert back == plain
    rows = [line.split("\t") for line in (run / "names.tsv").read_text().splitlines()]
    assert rows[0][:5] == ["recording", "start", "end", "heard", "term"]
    assert [row[4] for row in rows[1:]] == put
    assert "The glossary changed" in (run / "transcripts" / "talk.html").read_text()
    judged = stored(store)
    assert {key: judged[key] for key in decoded} == decoded and len(judged) == len(decoded) + 1
    assert judged_only(store, judged, decoded)
    files = {path.name: path.read_bytes() for path in (run / "transcripts").iterdir()}

    # The same glossary with another term that is not said: judged from the store where the questions are the same.
    glossary.write_text("\n".join([*NAMES, *OTHERS, "Bartholomew Quickenborne"]))
    workspace.snakemake(*named)
    assert jobs(workspace.path)["align"] == 1
    assert stored(store) == judged
    assert {path.name: path.read_bytes() for path in (run / "transcripts").iterdir()} == files

    # Without a glossary everything is as it was.
    workspace.snakemake(*options)
    assert text(run, "talk") == plain and not (run / "names.tsv").exists()
    assert stored(store) == judged

    # A mistake in the file is told before anything is made.
    glossary.write_text("term\tsounds\n\tnobody\n")
    failed = workspace.snakemake(*named, code=None)
    assert failed.returncode and "our names.txt, line 2: the column term is empty" in failed.stdout + failed.stderr


def judged_only(store: Path, after: dict[str, tuple[int, int]], before: dict[str, tuple[int, int]]) -> bool:
    """Whether what is new in a store is answers to questions."""
    new = set(after) - set(before)
    return all(json.loads((store / key[:2] / f"{key}.json").read_text())["result"]["scores"] for key in new)
