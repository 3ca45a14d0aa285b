"""How the pages look: system fonts only, since Gradio's themes would fetch theirs."""

from __future__ import annotations

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
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        button_primary_background_fill_dark="*primary_600",
        button_primary_background_fill_hover_dark="*primary_500",
        button_primary_text_color="white",
        button_primary_text_color_dark="white",
        link_text_color="#a3341f",
        link_text_color_dark="#f08a70",
    )


CSS = """
.gradio-container { width: 100%; max-width: 72rem !important; margin: 0 auto !important }
.lunchbox { display: grid; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); gap: 1rem; padding: 0; margin: 1.5rem 0; list-style: none }
.lunchbox li { margin: 0 }
.lunchbox a { display: block; height: 100%; border: 1px solid var(--border-color-primary); border-radius: .6rem; overflow: hidden;
  color: inherit; text-decoration: none; background: var(--background-fill-primary) }
.lunchbox a:hover, .lunchbox a:focus-visible { border-color: var(--link-text-color) }
.lunchbox img { display: block; width: 100%; height: 9rem; object-fit: cover; margin: 0 }
.lunchbox h2 { font-size: 1.1rem; margin: .8rem 1rem .2rem }
.lunchbox p { margin: 0 1rem 1rem; color: var(--body-text-color-subdued) }
.source summary { cursor: pointer; color: var(--link-text-color) }
.source pre { overflow-x: auto; padding: 1rem; border: 1px solid var(--border-color-primary); border-radius: .4rem; font-size: .85rem; line-height: 1.5 }
table.bars, table.rows { width: 100%; border-collapse: collapse; margin: 0 0 1.5rem; font-size: 1rem }
table.bars caption, table.rows caption { text-align: left; color: var(--body-text-color-subdued); padding: .3rem 0 }
table.bars th, table.rows th { text-align: left; font-weight: normal }
table.bars th, table.bars td, table.rows th, table.rows td { padding: .35rem .5rem .35rem 0; border: 0; border-bottom: 1px solid var(--border-color-primary) }
table.bars th { width: 40% } table.bars td:last-child { width: 4rem; text-align: right; font-variant-numeric: tabular-nums }
td.bar span { display: block; height: .8rem; min-width: 1px; border-radius: .2rem; background: var(--color-accent) }
.wall .grid-container { grid-template-columns: repeat(auto-fill, minmax(6.5rem, 1fr)) !important }
"""  # noqa: E501 (rules of one line each)
