"""Write what stands in documents but has its source in the code: `make docs`, or `make docs ARGS=--check`.

`config/config.yaml` is made from the schema of the configuration. In Markdown files, what stands between the lines
`<!-- NAME:begin -->` and `<!-- NAME:end -->` is replaced: lists of keys, formats, columns and modules.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from audiogrid.config.reference import config_file, reference_tables
from audiogrid.config.resolve import load_schema
from audiogrid.core.command import run
from audiogrid.core.errors import InputError

ROOT = Path(__file__).resolve().parent.parent
_BLOCK = re.compile(r"<!-- ([\w-]+):begin -->\n(.*?)<!-- \1:end -->\n", re.DOTALL)


def _table(head: tuple[str, str], rows: Mapping[str, str]) -> str:
    lines = [f"| {head[0]} | {head[1]} |", "|---|---|", *(f"| `{name}` | {text} |" for name, text in rows.items())]
    return "\n".join(lines) + "\n"


def _columns() -> str:
    from audiogrid.probing.tables import COLUMNS

    return _table(("column", "meaning"), COLUMNS)


def _glossary_columns() -> str:
    from audiogrid.aligning.glossary_file import COLUMNS

    return _table(("column", "meaning"), {name: text.replace("`|`", "`\\|`") for name, text in COLUMNS.items()})


def _presets() -> str:
    from audiogrid.export.subtitle_presets import PRESETS

    return _table(("preset", "its source"), {name: one.source for name, one in PRESETS.items()})


def _reserved_columns() -> str:
    from audiogrid.probing.reserved_columns import RESERVED

    return _table(("column", "values"), RESERVED)


def _summary() -> str:
    from audiogrid.merging.summary_table import SUMMARY_COLUMNS

    return _table(("column", "meaning"), SUMMARY_COLUMNS)


def _ledger_columns() -> str:
    from audiogrid.merging.ledger_table import LEDGER_COLUMNS

    return _table(("column", "meaning"), LEDGER_COLUMNS)


def _ledger_kinds() -> str:
    from audiogrid.records.ledger import KINDS, REASONS

    lines = ["| kind | reason | meaning |", "|---|---|---|"]
    for kind, meaning in KINDS.items():
        lines.append(f"| `{kind}` | | {meaning} |")
        lines += [
            f"| | {f'`{reason}`' if reason else ''} | {text} |" for (of, reason), text in REASONS.items() if of == kind
        ]
    return "\n".join(lines) + "\n"


def _formats() -> str:
    from audiogrid.export.formats import FORMATS

    lines = ["| format | file | what it is | what it does not hold | by default |", "|---|---|---|---|---|"]
    for name, one in FORMATS.items():
        lines.append(f"| `{name}` | `{one.ending}` | {one.purpose} | {one.loses} | {'yes' if one.by_default else ''} |")
    return "\n".join(lines) + "\n"


def _storage() -> str:
    from audiogrid.remote.storage_services import STORAGE

    rows = {
        f"{name}://{one.container}/": f"{one.name}; needs `pip install '.[{one.extra}]'`"
        for name, one in STORAGE.items()
    }
    return _table(("address", "service"), rows)


def _first_line(path: Path) -> str:
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return text.split("\n\n")[0].replace("\n", " ").replace("``", "`").replace("|", "\\|").replace("<", "&lt;")


def _modules() -> str:
    """Returns a table of modules per package, with the first sentence of each module's docstring."""
    library = ROOT / "scripts" / "audiogrid"
    lines = []
    for package in sorted(path.parent for path in library.glob("*/__init__.py")):
        lines += [f"### `{package.name}`", "", _first_line(package / "__init__.py"), "", "| module | what it does |"]
        lines.append("|---|---|")
        paths = sorted(path for path in package.rglob("*.py") if path.name != "__init__.py")
        lines += [f"| `{path.relative_to(package)}` | {_first_line(path)} |" for path in paths]
        lines.append("")
    return "\n".join(lines)


def _configuration() -> str:
    return reference_tables(load_schema())


BLOCKS: dict[str, Callable[[], str]] = {
    "columns": _columns,
    "glossary-columns": _glossary_columns,
    "configuration": _configuration,
    "formats": _formats,
    "ledger-columns": _ledger_columns,
    "ledger-kinds": _ledger_kinds,
    "modules": _modules,
    "reserved-columns": _reserved_columns,
    "subtitle-presets": _presets,
    "storage-services": _storage,
    "summary": _summary,
}


def filled(text: str, name: str) -> str:
    """Returns a Markdown text with its blocks written anew. Raises ``InputError`` for a block without a source."""

    def block(match: re.Match[str]) -> str:
        if match[1] not in BLOCKS:
            raise InputError(f"{name}: there is no block {match[1]!r}; known: {', '.join(BLOCKS)}")
        return f"<!-- {match[1]}:begin -->\n{BLOCKS[match[1]]()}<!-- {match[1]}:end -->\n"

    return _BLOCK.sub(block, text)


def documents() -> Iterator[tuple[Path, str]]:
    """Yields every document that is made, or made in part, with the text that it should have."""
    yield ROOT / "config" / "config.yaml", config_file(load_schema())
    for path in sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("config/*.md")]):
        text = path.read_text(encoding="utf-8")
        if _BLOCK.search(text):
            yield path, filled(text, path.name)


def main(argv: list[str]) -> int:
    """Write the documents, or say which differ. Returns 1 with ``--check`` when one does."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit with 1 when a document is out of date"
    )
    check = parser.parse_args(argv).check
    changed = [(path, text) for path, text in documents() if path.read_text(encoding="utf-8") != text]
    for path, text in changed:
        print(f"{path.relative_to(ROOT)}: {'out of date, run make docs' if check else 'written'}")
        if not check:
            path.write_text(text, encoding="utf-8")
    return 1 if check and changed else 0


if __name__ == "__main__":
    run(main)
