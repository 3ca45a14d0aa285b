"""Options that several commands have."""

from __future__ import annotations

import click

files = click.argument("files", nargs=-1, type=click.Path())
one_model = click.option("--model", help="A model's id; left out, the task's default.")
in_json = click.option("--json", "as_json", is_flag=True, help="A line of JSON for each input.")
at_once = click.option("--in-flight", type=click.IntRange(1), default=16, show_default=True, help="Requests at a time.")
least_score = click.option("--threshold", type=click.FloatRange(0, 1), default=0.5, show_default=True)
boxes_to = click.option(
    "-o", "--output", type=click.Path(), help="Draw what is found: into a picture, or a folder for many."
)
written_to = click.option(
    "-o", "--output", type=click.Path(), help="A file, or a folder for many; left out, standard output."
)
