"""The two kinds of failure a command can end with, and their exit codes."""

EXIT_DONE = 0
EXIT_RETRY = 1
EXIT_BAD_INPUT = 2


class AudiogridError(Exception):
    """A failure with a sentence a person can act on: what, which file, what to do."""

    exit_code = EXIT_RETRY


class RetryableError(AudiogridError):
    """Something that may go well the next time: a lost node, a full disk, a killed worker."""


class InputError(AudiogridError):
    """Bad input or configuration: trying again without a change is useless."""

    exit_code = EXIT_BAD_INPUT


class StoreError(RetryableError):
    """Results cannot be written: no use in decoding anything more."""
