"""Masks secrets in command lines and sentences before they are written anywhere.

Results are published and logs are attached to bug reports. A secret can reach them through the options of a
command (``--storage-s3-secret-key``), through ``--config`` or through an address (``https://user:password@host``,
a signed URL).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

MASK = "***"
# Whole words of an option's or a parameter's name that announce a secret: `secret-key`, `github_token`, `apikey`.
_SECRET_NAME = re.compile(
    r"(^|[-_.])(secrets?|token|passw(or)?ds?|passphrase|credentials?|pat|api[-_]?keys?|auth(orization)?"
    r"|(access|account|private|signing|shared|session|secret)[-_]?keys?([-_]id)?|connection[-_]string|sas)([-_.]|$)",
    re.IGNORECASE,
)
# Parameters of a URL's query that sign it; Azure's have names of two letters.
_SIGNATURE = re.compile(
    r"(?i)([?&;](?:x-(?:amz|goog)-[\w-]+|sig|signature|awsaccesskeyid|googleaccessid|policy|key-pair-id|code|key"
    r"|auth|[\w.-]*(?:token|secret|passw(?:or)?d|api[-_]?key)[\w.-]*)=)[^&;#\s'\"]+"
)
_USER_IN_ADDRESS = re.compile(r"(?i)\b([a-z][a-z0-9+.-]*://)[^\s/@'\"]+@")
# Tokens with a prefix that their service gives them: Hugging Face, GitHub, GitLab, Slack, Amazon's key ids.
_KNOWN_TOKENS = re.compile(
    r"\b(hf_[A-Za-z0-9]{16,}|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}|xox[a-z]-[\w-]{10,}"
    r"|(?:AKIA|ASIA)[A-Z0-9]{16})\b"
)
_HEADER = re.compile(r"(?i)\b(authorization:\s*\w+|bearer)\s+(?=\S*\d)[A-Za-z0-9._~+/-]{8,}=*")


def masked(text: str) -> str:
    """Returns ``text`` with users and passwords in addresses, signatures and well-known tokens replaced by ``***``."""
    text = _USER_IN_ADDRESS.sub(rf"\1{MASK}@", text)
    text = _SIGNATURE.sub(rf"\1{MASK}", text)
    text = _HEADER.sub(rf"\1 {MASK}", text)
    return _KNOWN_TOKENS.sub(MASK, text)


def is_secret_name(name: str) -> bool:
    """Whether an option, a key or a variable of this name holds a secret."""
    return _SECRET_NAME.search(name.lstrip("-")) is not None


def masked_words(words: Iterable[str]) -> list[str]:
    """Returns the words of a command line with secrets replaced by ``***``.

    Masks the value of every option and every ``key=value`` whose name announces a secret (``--x-token VALUE``,
    ``--x-token=VALUE``, ``x_token=VALUE``; all values where an option takes several), and what ``masked`` finds.
    """
    found: list[str] = []
    after_secret = False
    for word in words:
        assignment = _secret_assignment(word)
        if assignment:
            found.append(f"{assignment}={MASK}")
        elif after_secret and not word.startswith("--"):
            found.append(MASK)
        else:
            after_secret = word.startswith("--") and is_secret_name(word)
            found.append(masked(word))
    return found


def _secret_assignment(word: str) -> str:
    """Returns what stands before the secret in ``--x-token=VALUE`` or ``--config=x_token=VALUE``, else nothing."""
    parts = word.split("=")
    for i, name in enumerate(parts[:-1]):
        if is_secret_name(name) and "/" not in name:
            return "=".join(parts[: i + 1])
    return ""
