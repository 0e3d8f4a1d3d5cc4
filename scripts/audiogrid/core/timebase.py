"""Time is counted in integer samples at 16 kHz; seconds exist only at the edges."""

SAMPLE_RATE = 16_000


def to_samples(seconds: float) -> int:
    """Nearest sample to a time in seconds."""
    return round(seconds * SAMPLE_RATE)


def to_seconds(samples: int) -> float:
    """Time in seconds of a sample, rounded to milliseconds (the finest step any output shows)."""
    return round(samples / SAMPLE_RATE, 3)


def clock(samples: int) -> str:
    """``h:mm:ss`` of a sample count, for people."""
    seconds = samples // SAMPLE_RATE
    return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
