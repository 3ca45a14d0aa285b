"""How the pages look: system fonts only, since Gradio's themes would fetch theirs."""

from __future__ import annotations

from pathlib import Path

import gradio as gr
from gradio.themes.utils.colors import Color

LACQUER = Color(
    name="lacquer",
    c50="#fdf3f0",
    c100="#fae3dc",
    c200="#f4c5b8",
    c300="#eb9f8b",
    c400="#dd715a",
    c500="#c24a32",
    c600="#a3341f",
    c700="#86281a",
    c800="#6c2218",
    c900="#571f18",
    c950="#300d09",
)
"""The red of a lunch box; its 600 reaches a contrast of 7 : 1 on the page's paper."""


def theme() -> gr.themes.Base:
    return gr.themes.Base(
        primary_hue=LACQUER,
        secondary_hue=LACQUER,
        neutral_hue="stone",
        font=["system-ui", "sans-serif"],
        font_mono=["ui-monospace", "monospace"],
    ).set(
        body_background_fill="#fffdf8",
        body_background_fill_dark="#191714",
        body_text_color="#1d1d1f",
        body_text_color_dark="#ece7df",
        body_text_color_subdued="#6b6459",
        body_text_color_subdued_dark="#a59d90",
        input_background_fill_dark="#2b2824",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        button_primary_background_fill_dark="*primary_600",
        button_primary_background_fill_hover_dark="*primary_500",
        button_primary_text_color="white",
        button_primary_text_color_dark="white",
        link_text_color="#a3341f",
        link_text_color_dark="#f08a70",
    )


CSS = Path(__file__).with_name("look.css").read_text("utf-8")
"""What a theme cannot say."""

HEAD = """<style>
@media (max-width: 40rem) {
  .nav-holder nav { flex-wrap: nowrap !important; justify-content: flex-start !important; overflow-x: auto }
  .nav-holder nav a { white-space: nowrap }
}
</style>"""
"""The bar of pages lies where Gradio lets no style sheet of ours reach: on a phone it is one line, to be pushed."""
