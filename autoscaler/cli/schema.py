"""`autoscaler schema`: the JSON Schema of the files that people write, for editors and for checks elsewhere."""

import json
from enum import StrEnum
from typing import Annotated, Any

import typer

from autoscaler import policyfile, settings


class Kind(StrEnum):
    """Which file."""

    POLICIES = "policies"  # config/policies/*.yaml
    CONFIG = "config"  # config/autoscaler.yaml


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command("schema")(schema)


def schema(
    kind: Annotated[Kind, typer.Option("--kind", help="Which file's schema.")] = Kind.POLICIES,
) -> None:
    """Print the JSON Schema (draft 2020-12) of the policy file, or of the configuration file."""
    typer.echo(written(kind), nl=False)


def written(kind: Kind) -> str:
    """The schema as it is printed, and checked in."""
    generated: dict[str, Any] = policyfile.schema() if kind is Kind.POLICIES else settings.schema()
    return json.dumps(generated, indent=2, ensure_ascii=False) + "\n"
