"""A run of short recordings that is merged again and again, without a model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from audiogrid.merging.merge_bundle import BundleFacts, MergedBundle, MergeSettings, merge_bundle
from audiogrid.merging.superseded import supersede, suspected_bundles
from audiogrid.records.chunks import Chunk, Seam, ShardFacts
from audiogrid.records.plan import Bundle, Plan, Recording, Settings
from audiogrid.records.results import ChunkResult, Segment, Word
from audiogrid.records.run_folder import RunFolder
from audiogrid.records.store import Store, chunk_key
from audiogrid.records.written_files import WrittenLists, has_other_files
from audiogrid.reporting.notices import kept_transcripts, read_notices, write_notices

SECOND = 16_000
VERSIONS = {
    "audiogrid": "0.1.0",
    "revision": 1,
    "faster_whisper": "1.2.1",
    "ctranslate2": "4.8.5",
    "encoder": "openvino bfloat16",
    "host": "node1",
}


def result(text: str) -> ChunkResult:
    words = [Word(SECOND * n, SECOND * n + 8000, f" {word}", 0.9) for n, word in enumerate(text.split())]
    segment = Segment(words[0].start, words[-1].end, text, words, -0.2, 1.2, 0.0, 0.0, "en", 0)
    return ChunkResult(10 * SECOND, "en", 0.99, [(0, 5 * SECOND)], [], [segment])


class MergedRun:
    """A run of short recordings that is merged again and again."""

    def __init__(self, root: Path) -> None:
        self.folder = RunFolder(root / "results" / "x")
        self.store = Store(root / "store")
        self.bundles: list[MergedBundle] = []

    def plan(self, *names: str, bundle: str = "b0001", chunks: int = 1) -> Plan:
        recordings = [Recording(name, f"in/{name}.wav", 1, 1, 10 * SECOND * chunks, 1, "mix", chunks) for name in names]
        settings = Settings("base", {"base": "f" * 64}, {}, 5, 60, 600, 1, 0)
        return Plan(settings, recordings, [Bundle(bundle, "spec", list(names))], [])

    def merge(
        self,
        plan: Plan,
        texts: dict[str, str],
        formats: tuple[str, ...] = ("txt", "json"),
        made: dict[str, dict[str, object]] | None = None,
        chunk_texts: bool = False,
        pack: bool = False,
    ) -> MergedBundle:
        """``texts``: by chunk; a recording without one fails."""
        facts = ShardFacts()
        for recording in plan.recordings:
            for index, name in enumerate(recording.chunk_ids):
                start, end = index * 10 * SECOND, (index + 1) * 10 * SECOND
                seams = Seam("pause", start, 0), Seam("pause", end, 0)
                chunk = Chunk(name, recording.recording, None, index, start, end, start, end, *seams, "0" * 64)
                chunk = replace(chunk, pcm_sha256=name.encode().hex().ljust(64, "0"))
                facts.chunks.append(chunk)
                if name in texts:
                    facts.keys[name] = chunk_key(chunk, f"model of {texts[name]}", {}, 1)
                    self.store.put(facts.keys[name], result(texts[name]), (made or {}).get(name, VERSIONS))
        (bundle,) = plan.bundles
        settings = MergeSettings(list(formats), {}, chunk_texts, pack=pack)
        merged = merge_bundle(plan, bundle.bundle, BundleFacts([(facts, {})]), self.store, settings, self.folder)
        self.bundles = [merged]
        return merged

    def end(self, plan: Plan) -> list[str]:
        """Move what is superseded; returns the names that were moved."""
        suspects = set()
        for merged in self.bundles:
            recordings = {*merged.files, *(failure.recording for failure in merged.failures)}
            if has_other_files(self.folder, merged.bundle, recordings) or recordings != {*plan.recording}:
                suspects.add(merged.bundle)
            if merged.failures:
                suspects.add(merged.bundle)
        moved = supersede(self.folder, plan, suspects)
        whole = {name for merged in self.bundles for name in merged.files}
        lost = {failure.recording for merged in self.bundles for failure in merged.failures} - whole
        edited = [name for merged in self.bundles for name in merged.edited]
        bundles = suspected_bundles(plan, WrittenLists(self.folder), suspects)
        write_notices(self.folder, moved, edited, kept_transcripts(self.folder, lost, bundles))
        return sorted(one.file for one in moved)

    def files(self, folder: str = "transcripts") -> dict[str, str]:
        root = self.folder.root / folder
        return {path.relative_to(root).as_posix(): path.read_text() for path in root.rglob("*") if path.is_file()}

    def said(self) -> str:
        return "\n".join(read_notices(self.folder).sentences(self.folder))
