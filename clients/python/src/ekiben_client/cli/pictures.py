"""The commands that take pictures."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ekiben_client.cli.drawing import draw
from ekiben_client.cli.inputs import expand, open_input, outputs, write
from ekiben_client.cli.options import at_once, boxes_to, files, in_json, least_score, one_model, written_to
from ekiben_client.cli.printing import print_json, print_rows
from ekiben_client.cli.running import for_each, with_client
from ekiben_client.client import Client
from ekiben_client.face_detection import FaceDetection
from ekiben_client.image_classification import Classification
from ekiben_client.object_detection import ObjectDetection
from ekiben_client.style_transfer import MEDIA_TYPES, StyledPicture


@click.command()
@files
@click.option("--top-k", type=click.IntRange(1, 1000), default=5, show_default=True, help="How many labels.")
@one_model
@in_json
@at_once
@with_client
def classify(
    client: Client, files: tuple[str, ...], top_k: int, model: str | None, as_json: bool, in_flight: int
) -> None:
    """What is in pictures."""
    names = expand(files)

    def show(name: str, picture: str | bytes, result: Classification) -> None:
        if not as_json:
            rows = [(each.label, f"{each.score:.4f}") for each in result.labels]
            print_rows(("label", "score"), rows, title=name if len(names) > 1 else "")

    for_each(
        names,
        lambda progress: client.classify_many(
            map(open_input, names), top_k=top_k, model=model, in_flight=in_flight, progress=progress
        ),
        show,
        as_json=as_json,
    )


@click.command()
@files
@least_score
@one_model
@boxes_to
@in_json
@at_once
@with_client
def detect(
    client: Client,
    files: tuple[str, ...],
    threshold: float,
    model: str | None,
    output: str | None,
    as_json: bool,
    in_flight: int,
) -> None:
    """Which objects are in pictures, and where."""
    names = expand(files)
    targets = outputs(names, output, ".png") if output else {}

    def show(name: str, picture: str | bytes, result: ObjectDetection) -> None:
        if targets:
            draw(picture, result.objects, targets[name])
        if not as_json:
            rows = [(each.label, f"{each.score:.4f}", *map(str, vars(each.box).values())) for each in result.objects]
            print_rows(("label", "score", "xmin", "ymin", "xmax", "ymax"), rows, title=name if len(names) > 1 else "")

    for_each(
        names,
        lambda progress: client.detect_objects_many(
            map(open_input, names), threshold=threshold, model=model, in_flight=in_flight, progress=progress
        ),
        show,
        as_json=as_json,
    )


@click.command()
@files
@least_score
@one_model
@boxes_to
@in_json
@at_once
@with_client
def faces(
    client: Client,
    files: tuple[str, ...],
    threshold: float,
    model: str | None,
    output: str | None,
    as_json: bool,
    in_flight: int,
) -> None:
    """Where faces are in pictures."""
    names = expand(files)
    targets = outputs(names, output, ".png") if output else {}

    def show(name: str, picture: str | bytes, result: FaceDetection) -> None:
        if targets:
            draw(picture, result.faces, targets[name])
        if not as_json:
            rows = [(f"{each.score:.4f}", *map(str, vars(each.box).values())) for each in result.faces]
            print_rows(("score", "xmin", "ymin", "xmax", "ymax"), rows, title=name if len(names) > 1 else "")

    for_each(
        names,
        lambda progress: client.detect_faces_many(
            map(open_input, names), threshold=threshold, model=model, in_flight=in_flight, progress=progress
        ),
        show,
        as_json=as_json,
    )


@click.command()
@files
@click.option("--style", help="A name that `ekiben styles` lists, or a mixture: style-03:0.7,style-11:0.3")
@click.option("--style-image", type=click.Path(exists=True, dir_okay=False), help="A picture to take the style of.")
@click.option("--strength", type=click.FloatRange(0, 1), default=1.0, show_default=True)
@click.option("--max-side", type=click.IntRange(1), help="The longest side of the result, in pixels.")
@click.option(
    "--format", type=click.Choice(list(MEDIA_TYPES)), help="Left out, what the output's name ends in, or png."
)
@one_model
@written_to
@at_once
@with_client
def style(
    client: Client,
    files: tuple[str, ...],
    style: str | None,
    style_image: str | None,
    strength: float,
    max_side: int | None,
    format: str | None,
    model: str | None,
    output: str | None,
    in_flight: int,
) -> None:
    """Paint pictures in another manner."""
    names = expand(files)
    if style is None and style_image is None:
        raise click.UsageError("Name a --style, or a --style-image.")
    if output is None and (len(names) > 1 or sys.stdout.isatty()):
        raise click.UsageError("Name an --output.")
    ending = Path(output or "").suffix.lower().lstrip(".").replace("jpg", "jpeg")
    chosen = format or (ending if ending in MEDIA_TYPES else "png")
    targets = outputs(names, output, f".{chosen}") if output else {}

    def show(name: str, picture: str | bytes, result: StyledPicture) -> None:
        if targets:
            write(targets[name], result.data)
        else:
            sys.stdout.buffer.write(result.data)

    for_each(
        names,
        lambda progress: client.transfer_style_many(
            map(open_input, names),
            style,
            style_image=style_image,
            strength=strength,
            max_side=max_side,
            format=chosen,
            model=model,
            in_flight=in_flight,
            progress=progress,
        ),
        show,
        as_json=False,
    )


@click.command()
@in_json
@with_client
def styles(client: Client, as_json: bool) -> None:
    """The styles that the server has."""
    found = [vars(each) for each in client.styles()]
    if as_json:
        print_json(found)
    else:
        print_rows(("name", "title"), [tuple(each.values()) for each in found])
