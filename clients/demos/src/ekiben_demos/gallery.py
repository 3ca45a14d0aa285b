"""The gallery: a first page with every demo, and a page for each."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence

import gradio as gr
from gradio.components.navbar import Navbar
from PIL import Image

from ekiben_demos.demo import Demo
from ekiben_demos.media import example

TITLE = "ekiben"


def build(demos: Sequence[Demo]) -> gr.Blocks:
    """Every page, ready to be launched."""
    blocks = gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=(600, 3600))
    with blocks:
        Navbar(main_page_name="All demos")
        gr.HTML(_first_page(demos))
    for demo in demos:
        with blocks.route(demo.title, demo.slug):
            Navbar(main_page_name="All demos")
            gr.HTML(f"<h1>{html.escape(demo.title)}</h1><p>{html.escape(demo.sentence)}</p>")
            demo.build()
            gr.HTML(_source(demo))
    # A demo is a client like any other: what it asks for at a time is bounded here.
    blocks.queue(default_concurrency_limit=4, max_size=64)
    return blocks


def _first_page(demos: Sequence[Demo]) -> str:
    cards = "".join(
        f'<li><a href="{demo.slug}">{_thumbnail(demo.picture)}<h2>{html.escape(demo.title)}</h2>'
        f"<p>{html.escape(demo.sentence)}</p></a></li>"
        for demo in demos
    )
    return (
        f"<h1>{TITLE}</h1><p>Small applications of an ekiben server's models. Each is one file of Python that asks the "
        f"server through its client, and shows its own source.</p><ul class='lunchbox'>{cards}</ul>"
    )


def _thumbnail(name: str) -> str:
    """The picture as part of the page: no request, and nothing to wait for."""
    if not name:
        return ""
    with Image.open(example(name)) as picture:
        small = picture.convert("RGB")
    small.thumbnail((480, 320))
    file = io.BytesIO()
    small.save(file, "WEBP", quality=60)
    return f'<img alt="" src="data:image/webp;base64,{base64.b64encode(file.getvalue()).decode()}">'


def _source(demo: Demo) -> str:
    text = html.escape(demo.source.read_text("utf-8"))
    return (
        f"<details class='source'><summary>The source of this page: {demo.source.name}</summary>"
        f"<pre tabindex='0'>{text}</pre></details>"
    )
