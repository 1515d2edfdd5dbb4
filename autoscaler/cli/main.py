"""The program: its commands by name, and the one place where an error becomes a sentence and an exit code.

0 done; 1 it ran and failed; 2 bad usage or bad configuration; 130 interrupted. A module is only imported when one of
its commands is called: all of them together take longer than `--help` may.
"""

import importlib
import os
import sys
import traceback
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from autoscaler import __version__, errors
from autoscaler.cli import usage
from autoscaler.core import plain

NOT_YET = ("backtest", "tune", "record")
"""Commands that are promised and not there yet: refused by name, and not shown."""


@dataclass(frozen=True)
class Listed:
    """Where a command is written, and its line in the list; a test holds that against its own first sentence."""

    module: str
    words: str
    panel: str


_HERE, _DAEMON, _ASK, _HAND = "Try it, write it", "Run it", "Ask a running daemon", "The operator's hand"

COMMANDS = {
    "demo": Listed("demo", "Watch a group being scaled out and in: no account, no configuration.", _HERE),
    "check": Listed(
        "check",
        "Validate the configuration and all policies; with --live also against the cloud, changing nothing.",
        _HERE,
    ),
    "test": Listed(
        "test", "Run unit tests of policies: recorded or invented values in, expected decisions out.", _HERE
    ),
    "schema": Listed(
        "schema", "Print the JSON Schema (draft 2020-12) of the policy file, or of the configuration file.", _HERE
    ),
    "run": Listed(
        "run", "Run the daemon: watch the targets of the policy files and keep them the right size.", _DAEMON
    ),
    "emulator": Listed("emulator", "Run only the emulated cloud.", _DAEMON),
    "status": Listed(
        "client", "Show every target: nodes, load, the last decision, open operations, what was set by hand.", _ASK
    ),
    "history": Listed("client", "List the decisions of a target, newest first.", _ASK),
    "explain": Listed("client", "Say why a target was scaled, or was not.", _ASK),
    "pause": Listed("by_hand", "Have nothing changed on a target, or on all.", _HAND),
    "resume": Listed("by_hand", "End the pauses of a target, or all pauses.", _HAND),
    "override": Listed("by_hand", "Set the number of nodes by hand for a while.", _HAND),
    "resolve": Listed("by_hand", "Close an operation that the daemon cannot close itself.", _HAND),
} | {name: Listed("later", "Not in this version.", "") for name in NOT_YET}


class _LazyGroup(TyperGroup):
    """Lists every command from the table, and imports the module of the one that is called."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for name, listed in COMMANDS.items():
            hidden = name in NOT_YET
            self.commands[name] = TyperCommand(
                name, help=listed.words, rich_help_panel=listed.panel, rich_markup_mode=None, hidden=hidden
            )

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # the types are private to typer
        """Exchange the line of the list for the command."""
        if args and args[0] in COMMANDS:
            self.commands[args[0]] = loaded(args[0])
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run the command; what is wrong with an option's value is said in our words."""
        try:
            return super().invoke(ctx)
        except typer.BadParameter as wrong:
            wrong.message = usage.reworded(wrong.message)
            raise


def loaded(name: str) -> Any:
    """The command as its module registers it."""
    module = importlib.import_module(f"autoscaler.cli.{COMMANDS[name].module}")
    registered = typer.Typer(rich_markup_mode=None, add_completion=False)
    module.register(registered)
    return typer.main.get_group(registered).commands[name]


def build() -> typer.Typer:
    """The program with all of its commands."""
    app = typer.Typer(
        name="autoscaler",
        cls=_LazyGroup,
        help="Keeps the node groups of Huawei Cloud DDM the right size.",
        epilog="autoscaler COMMAND --help tells more about a command.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        # Modest: the same plain help on a terminal and in a pipe.
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
    app.callback()(_program)
    return app


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"autoscaler {__version__}")
        raise typer.Exit


def _program(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error that the program did not foresee.")
    ] = False,
) -> None:
    """Hold what concerns every command."""
    _Debug.wanted = debug


class _Debug:
    """Whether tracebacks are wanted; known only once the options are read, needed where everything has ended."""

    wanted = False


def main(arguments: list[str] | None = None) -> None:
    """Run the command that the arguments name, and exit."""
    try:
        build()(args=arguments, prog_name="autoscaler")
    except errors.BadConfig as bad:
        for problem in bad.problems:
            _say(str(problem))
        sys.exit(2)
    except errors.AutoscalerError as error:
        _say(f"error: {error}")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # Nobody reads on: what is still buffered would fail once more at the interpreter's end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:  # noqa: BLE001  # the boundary: no traceback reaches a user who did not ask for it
        _unforeseen(error)
        sys.exit(1)


def _unforeseen(error: Exception) -> None:
    if _Debug.wanted:
        traceback.print_exception(error)
    _say(
        f"error: this should not have happened ({type(error).__name__}: {error}); "
        "please report it with what autoscaler --debug COMMAND … prints"
    )


def _say(text: str) -> None:
    sys.stderr.write(f"{plain.lines(text)}\n")
