"""The helpers that other tests rely on: same speech for the same arguments, spans where the words are."""

from pathlib import Path

import numpy as np
import pytest

import media
import speech
from require import require, required


@pytest.fixture(autouse=True)
def _synthesiser() -> None:
    try:
        import hibari  # noqa: F401
    except ImportError:
        require("speech", False, "pip install hibari-tts")


def test_saying_is_reproducible_and_audible() -> None:
    one = speech.say("A short test.", 3).copy()
    speech.say.cache_clear()
    assert np.array_equal(one, speech.say("A short test.", 3))
    assert one.dtype == np.int16 and one.ndim == 1
    assert 8_000 < len(one) < 48_000 and np.abs(one).max() > 3_000


def test_deeper_voice_takes_about_the_same_time() -> None:
    high, low = speech.say("A test of two voices.", 1), speech.say("A test of two voices.", 1, pitch=0.8)
    assert abs(len(high) - len(low)) < 0.1 * len(high)


def test_spans_lie_where_the_speech_is() -> None:
    said = speech.read_aloud(["The first one.", "And a second."], gap=1.0)
    assert said.text == "The first one. And a second." and said.words == 6
    for start, end, _ in said.spans:
        assert np.abs(said.pcm[start:end]).max() > 3_000
    (_, first_end, _), (second_start, second_end, _) = said.spans
    assert second_start - first_end == speech.RATE
    assert not said.pcm[first_end:second_start].any() and not said.pcm[second_end:].any()


def test_long_speech_never_repeats_a_sentence() -> None:
    said = speech.long_speech(20, seed=5)
    assert 20 <= said.seconds < 30
    assert len({text for _, _, text in said.spans}) == len(said.spans)
    assert speech.long_speech(20, seed=6).text != said.text


def test_sentences_are_many_and_different() -> None:
    every = list(speech.sentences(2))
    assert len(every) == len(set(every)) == 1440


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".mp3", ".m4a", ".aac", ".ogg", ".webm", ".mkv", ".mp4", ".wma"])
@pytest.mark.parametrize("channels", [1, 2])
def test_every_format_holds_the_whole_signal(tmp_path: Path, suffix: str, channels: int) -> None:
    import av

    mono = speech.say("What was written can be read.", 1)
    pcm = mono if channels == 1 else np.stack([mono, mono // 2], axis=1)
    path = media.write_media(tmp_path / f"x{suffix}", pcm, picture=suffix in (".mp4", ".mkv"))
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        assert stream.codec_context.channels == channels
        assert bool(container.streams.video) == (suffix in (".mp4", ".mkv"))
        seconds = sum(frame.samples for frame in container.decode(stream)) / stream.codec_context.sample_rate
    assert abs(seconds - len(mono) / speech.RATE) < 0.2


def test_word_error_rate_counts_words_not_spelling() -> None:
    assert speech.word_error_rate("Dr. Smith paid $20.", "doctor smith paid 20 dollars") == 0
    assert speech.word_error_rate("red green blue white", "red green white") == 0.25
    assert speech.word_error_rate("", "") == 0
    assert speech.word_error_rate("", "words from nowhere") == 1
    assert speech.word_error_rate("¿Cómo está usted?", "cómo está usted", "es") == 0


def test_human_prompts_have_texts_and_audio() -> None:
    require("prompts", speech.prompts("en"), "apt-get install asterisk-core-sounds-en-wav asterisk-core-sounds-en")
    said = speech.human_speech("en", 3)
    assert len(said.spans) == 3 and all(len(text.split()) >= 3 for _, _, text in said.spans)
    assert said.seconds > 3 and np.abs(said.pcm).max() > 3_000


def test_required_components(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUDIOGRID_REQUIRE", "all")
    assert "slurm" in required() and "gpu" not in required()
    with pytest.raises(pytest.fail.Exception, match="slurm is not here"):
        require("slurm", None, "install it")
    with pytest.raises(pytest.skip.Exception):
        require("gpu", False, "buy one")
    monkeypatch.setenv("AUDIOGRID_REQUIRE", "gpu, mpi")
    assert required() == {"gpu", "mpi"}
    monkeypatch.delenv("AUDIOGRID_REQUIRE")
    with pytest.raises(pytest.skip.Exception):
        require("slurm", False, "install it")
    require("slurm", True, "never mind")
