"""The folder of a run: where each file of it lies."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path


def sub_folder(recording: str) -> str:
    """Returns the name of the sub-folder of a recording: two hexadecimal digits, the same in all runs."""
    return hashlib.sha256(recording.encode()).hexdigest()[:2]


def is_sub_folder(name: str) -> bool:
    """Whether a folder in ``transcripts/`` has the name of a sub-folder."""
    return re.fullmatch("[0-9a-f]{2}", name) is not None


class RunFolder:
    """Names of everything under ``results/<run>/``.

    ``chunks``: where its audio is split, if that is shared with others (variants).
    """

    def __init__(self, root: Path, chunks: Path | None = None) -> None:
        self.root = root
        self.probe = root / "probe.json"
        self.plan = root / "plan.json"
        self.last_plan = root / ".state" / "plan.json"
        self.journal = root / "journal"
        self.chunks = chunks or root / "chunks"
        self.voices = root / "voices"
        # Which recording has which voice, where voices are linked. The history outlives the output of the stage.
        self.linked = root / "linked.json"
        self.link_history = root / ".state" / "linked.json"
        self.voices_journal = root / "journal" / "voices"
        self.aligned = root / "aligned"
        self.aligned_journal = root / "journal" / "aligned"
        self.shards = root / "shards"
        # Results that a store shared with others did not let this user write.
        self.own_store = root / "store"
        self.merged = root / "merged"
        self.transcripts = root / "transcripts"
        self.superseded = root / "superseded"
        self.written = root / ".state" / "written"
        self.notices = root / ".state" / "notices.json"
        # While it is there, jobs of the run begin nothing new: its budget is used up.
        self.stop = root / ".state" / "stop.json"
        self.summary = root / "summary.tsv"
        self.failed = root / "failed.tsv"
        self.ledger = root / "ledger.tsv"
        self.differences = root / "differences.tsv"
        self.names = root / "names.tsv"
        self.rejected = root / "rejected.tsv"
        self.config = root / "run_config.yaml"
        self.estimate = root / ".state" / "estimate.json"
        self.report = root / "report.html"
        # A package for archives, where nobody asks for another place.
        self.bag = root / "bag"
        # An index of all words, and the page that reads it.
        self.search = root / "search"
        self.search_page = root / "search.html"

    def transcripts_of(self, recording: str, *, divided: bool) -> Path:
        """Returns the folder of a recording's transcripts. ``divided``: whether the run has sub-folders for them."""
        return self.transcripts / sub_folder(recording) if divided else self.transcripts

    def transcript(self, recording: str, name: str) -> Path:
        """Returns a file of a recording, which lies in a sub-folder or not. ``name``: as ``file_name`` gives it."""
        path = self.transcripts_of(recording, divided=True) / name
        return path if path.is_file() else self.transcripts / name

    @property
    def compare(self) -> RunFolder:
        """The folder of ``snakemake compare``; those of its variants lie in it."""
        return RunFolder(self.root / "compare")
