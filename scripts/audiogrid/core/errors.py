"""Errors that a command reports in one sentence, and their exit codes."""

EXIT_DONE = 0
EXIT_RETRY = 1
EXIT_BAD_INPUT = 2


class AudiogridError(Exception):
    """A failure whose message says what happened, to which file, and what to do."""

    exit_code = EXIT_RETRY


class RetryableError(AudiogridError):
    """A failure that a retry may avoid: a lost node, a full disk, a killed worker."""


class InputError(AudiogridError):
    """Bad input or configuration: a retry without a change fails again."""

    exit_code = EXIT_BAD_INPUT


class StoreError(RetryableError):
    """Results cannot be written, so nothing more should be decoded."""
