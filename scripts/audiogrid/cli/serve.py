"""`audiogrid serve`: the transcription service, and its tokens."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from audiogrid.cli.command import Command
from audiogrid.cli.models import fetch
from audiogrid.core.errors import InputError
from audiogrid.core.extras import install_command


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where to listen, what to watch, which configuration; or what to do with tokens."""
    parser.add_argument("words", nargs="*", metavar="WORD", help="token add NAME, token list, token remove NAME")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=8010, help="default: 8010")
    parser.add_argument("--state", type=Path, default=Path("service"), metavar="DIR", help="default: service")
    parser.add_argument("--watch", type=Path, metavar="DIR", help="transcribe what is put there")
    parser.add_argument("--watch-results", type=Path, metavar="DIR")
    parser.add_argument("--profile", default="local", help="of runs for long recordings")
    parser.add_argument("--configfile", type=Path, metavar="FILE")
    parser.add_argument("--config", metavar="KEY=VALUE", nargs="+", action="extend", default=[])
    parser.add_argument("--tls", type=Path, nargs=2, metavar=("CERTIFICATE", "KEY"))


def run(options: argparse.Namespace, rest: list[str]) -> None:
    """Run the service, or change its tokens. Raises ``InputError``."""
    if options.words:
        _tokens(options)
        return
    try:
        import prometheus_client  # noqa: F401
        import python_multipart  # noqa: F401
        import starlette  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise InputError(f"{error.name} is missing: {install_command('serve')}") from None
    from audiogrid.models.registry import load_registry
    from audiogrid.serving.long_lane import registry_file
    from audiogrid.serving.recipes import Recipes
    from audiogrid.serving.server import ServerOptions, serve

    if options.watch is not None and not options.watch.is_dir():
        raise InputError(f"--watch {options.watch}: there is no such folder")
    configuration = _configuration(options)
    registry = load_registry(registry_file())
    for model in Recipes(configuration, registry, Path("models")).all_models.values():
        fetch(model, registry, Path("models"))
    serve(
        ServerOptions(
            host=options.host,
            port=options.port,
            state=options.state,
            profile=options.profile,
            watch=options.watch,
            watch_results=options.watch_results,
            tls=(options.tls[0], options.tls[1]) if options.tls else None,
        ),
        configuration,
    )


def _configuration(options: argparse.Namespace) -> dict[str, Any]:
    """Returns the configuration of the working folder, or of ``--configfile``, with ``--config``."""
    from audiogrid.config.read_files import read_configuration

    own = Path("config/config.yaml")
    return read_configuration(
        [path for path in (own if own.is_file() else None, options.configfile) if path], options.config
    )


def _tokens(options: argparse.Namespace) -> None:
    from audiogrid.serving.tokens import Tokens

    tokens = Tokens(options.state)
    match options.words:
        case ["token", "add", name]:
            print(tokens.add(name))
        case ["token", "remove", name]:
            tokens.remove(name)
            print(f"{name} is removed: the service refuses its token from now on")
        case ["token", "list"]:
            for name, made in tokens.names().items():
                print(f"{name}\t{time.strftime('%Y-%m-%d', time.gmtime(made))}")
        case _:
            raise InputError("write audiogrid serve, or audiogrid serve token add NAME, token list, token remove NAME")


COMMAND = Command(
    summary="a transcription service over HTTP",
    explanation="Answer requests for transcripts over HTTP, see docs/service.md.",
    example="audiogrid serve --watch /data/incoming",
    add_arguments=add_arguments,
    run=run,
)
