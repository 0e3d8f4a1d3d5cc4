"""Conversions of time. Inside the library time is counted in integer samples at 16 kHz; files hold seconds."""

SAMPLE_RATE = 16_000


def to_samples(seconds: float) -> int:
    """Returns the sample nearest to a time in seconds."""
    return round(seconds * SAMPLE_RATE)


def to_seconds(samples: int) -> float:
    """Returns the time of a sample in seconds, rounded to milliseconds (the finest step of any output format)."""
    return round(samples / SAMPLE_RATE, 3)


def clock(samples: int) -> str:
    """Returns a number of samples as ``h:mm:ss``."""
    seconds = samples // SAMPLE_RATE
    return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
