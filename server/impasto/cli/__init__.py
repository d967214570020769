"""The command line: `impasto COMMAND …`. Each command is a module, imported only when called."""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import sys
from pathlib import Path
from types import ModuleType

from impasto import __version__
from impasto.errors import Cancelled, ImpastoError, ModelMissing, did_you_mean

COMMANDS = {
    "stylize": "paint pictures",
    "segment": "select a part of a picture and write its mask",
    "watch": "paint what is dropped into folders",
    "styles": "list the styles of the gallery",
    "teach": "learn a style of your own from pictures",
    "engines": "list the techniques, and what each needs",
    "models": "list, fetch and verify the weights that some engines need",
    "plugins": "put Impasto into GIMP, or take it out",
    "serve": "run the daemon that keeps the networks warm",
    "status": "show what the daemon is doing",
    "stop": "stop the daemon",
}


def overview() -> str:
    width = max(map(len, COMMANDS))
    commands = "\n".join(f"  {name:<{width}}  {summary}" for name, summary in COMMANDS.items())
    return (
        "usage: impasto COMMAND …\n\n"
        "Paints photographs in the style of paintings.\n\n"
        f"commands:\n{commands}\n\n"
        "“impasto COMMAND --help” explains a command. A first try:\n"
        "  impasto stylize photo.jpg --style great-wave\n"
    )


def main(argv: list[str] | None = None) -> int:
    """Run a command and return its exit status (see `impasto.errors`)."""
    if sys.stdout is None:  # as a scheduled task on Windows, which has no console
        sys.stdout = sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    arguments = sys.argv[1:] if argv is None else argv
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        sys.stdout.write(overview())
        return 0 if arguments else 2
    if arguments[0] in ("-V", "--version"):
        sys.stdout.write(f"impasto {__version__}\n")
        return 0
    name, *rest = arguments
    if name not in COMMANDS:
        near = did_you_mean(name, list(COMMANDS)) or "; “impasto --help” lists them"
        return complain(f"there is no command “{name}”{near}.")
    command = importlib.import_module(f"impasto.cli.{name}")
    parser = argparse.ArgumentParser(prog=f"impasto {name}", description=command.__doc__)
    command.add_arguments(parser)
    # A plain `kill` ends a command as Ctrl-C does: the daemon is told, nothing half-done stays.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return perform(command, parser.parse_args(rest, argparse.Namespace(words=rest)))
    except KeyboardInterrupt:
        return complain("stopped.", Cancelled.code)
    except BrokenPipeError:
        # Whoever read our output has gone; without this, Python complains again on its way out.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except ImpastoError as error:
        return complain(str(error), error.code)


def perform(command: ModuleType, args: argparse.Namespace) -> int:
    """Run a command, again each time that a model which it misses was fetched."""
    while True:
        try:
            return command.run(args)
        except ModelMissing as error:
            from impasto.cli.offer import accepted

            if not accepted(error):
                raise


def complain(sentence: str, code: int = 2) -> int:
    sys.stderr.write(f"impasto: {sentence}\n")
    return code
