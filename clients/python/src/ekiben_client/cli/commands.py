"""The command `ekiben` and what is below it."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from ekiben_client._version import VERSION
from ekiben_client.cli import pictures, texts
from ekiben_client.cli.options import in_json
from ekiben_client.cli.printing import print_json, print_rows
from ekiben_client.cli.running import with_client
from ekiben_client.client import Client


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION)
def ekiben() -> None:
    """Pretrained models of an ekiben server.

    FILES are paths, patterns such as 'photos/*.jpg', or - for standard input.

    Exit codes: 0 all is well, 1 an input was refused or cannot be read, 2 wrong usage, 3 the server cannot be
    reached or cannot answer.
    """


@ekiben.command()
@in_json
@with_client
def models(client: Client, as_json: bool) -> None:
    """The models that the server has."""
    found = client.models()
    if as_json:
        print_json([vars(each) for each in found])
        return
    rows = [
        (
            each.id,
            each.task,
            "default" if each.default else "",
            each.provider.replace("ExecutionProvider", ""),
            each.title,
        )
        for each in found
    ]
    print_rows(("id", "task", "", "provider", "title"), rows)


@ekiben.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script for a shell: source <(ekiben completion bash)"""
    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(ekiben, {}, "ekiben", "_EKIBEN_COMPLETE").source())


for command in (
    pictures.classify,
    pictures.detect,
    pictures.faces,
    pictures.style,
    pictures.styles,
    texts.transcribe,
    texts.translate,
):
    ekiben.add_command(command)
