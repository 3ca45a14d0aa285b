"""The commands that give text: of recordings, and in other languages."""

from __future__ import annotations

import sys
from typing import Callable

import click

from ekiben_client.cli import subtitles
from ekiben_client.cli.inputs import expand, open_input, outputs, write
from ekiben_client.cli.options import at_once, files, in_json, one_model, written_to
from ekiben_client.cli.running import for_each, with_client
from ekiben_client.client import Client
from ekiben_client.speech_recognition import Transcript
from ekiben_client.translation import Translation

WRITERS: dict[str, Callable[[Transcript], str]] = {
    "text": lambda transcript: f"{transcript.text.strip()}\n",
    "srt": subtitles.srt,
    "vtt": subtitles.vtt,
}


@click.command()
@files
@click.option("--format", type=click.Choice([*WRITERS, "json"]), default="text", show_default=True)
@click.option("--language", help="Left out, the model finds it out.")
@click.option("--stream", is_flag=True, help="Print the text while it is recognised (one recording).")
@one_model
@written_to
@in_json
@click.option("--in-flight", type=click.IntRange(1), default=4, show_default=True, help="Requests at a time.")
@with_client
def transcribe(
    client: Client,
    files: tuple[str, ...],
    format: str,
    language: str | None,
    stream: bool,
    model: str | None,
    output: str | None,
    as_json: bool,
    in_flight: int,
) -> None:
    """What is said in recordings."""
    names = expand(files)
    as_json = as_json or format == "json"
    if stream:
        if len(names) > 1 or as_json or output or format != "text":
            raise click.UsageError("--stream prints the text of one recording.")
        with client.stream_speech(open_input(names[0]), language=language, model=model) as pieces:
            for piece in pieces:
                click.echo(piece, nl=False)
        click.echo()
        return
    targets = outputs(names, output, f".{format.replace('text', 'txt')}") if output and not as_json else {}

    def show(name: str, recording: str | bytes, result: Transcript) -> None:
        if as_json:
            return
        text = WRITERS[format](result)
        if targets:
            write(targets[name], text.encode())
        else:
            click.echo(f"# {name}\n{text}" if len(names) > 1 else text, nl=False)

    for_each(
        names,
        lambda progress: client.recognize_speech_many(
            map(open_input, names),
            timestamps=as_json or format != "text",
            language=language,
            model=model,
            in_flight=in_flight,
            progress=progress,
        ),
        show,
        as_json=as_json,
    )


@click.command()
@click.argument("texts", nargs=-1)
@click.option("--to", "target", required=True, help="The language to translate into, such as pt.")
@click.option("--from", "source", help="Left out, it is detected.")
@one_model
@in_json
@at_once
@with_client
def translate(
    client: Client,
    texts: tuple[str, ...],
    target: str,
    source: str | None,
    model: str | None,
    as_json: bool,
    in_flight: int,
) -> None:
    """Translate texts, or what comes on standard input as one text."""
    if not texts or texts == ("-",):
        if not texts and sys.stdin.isatty():
            raise click.UsageError("Give a text, or pipe one in.")
        texts = (sys.stdin.buffer.read().decode("utf-8", "replace"),)

    def show(name: str, text: str, result: Translation) -> None:
        if not as_json:
            click.echo(result.text)

    for_each(
        texts,
        lambda progress: client.translate_many(
            texts, target=target, source=source, model=model, in_flight=in_flight, progress=progress
        ),
        show,
        as_json=as_json,
    )
