"""Cues in two languages beside a player: as a list, as tracks, as files."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from pathlib import Path

from ekiben_demos.speech.subtitles import Cue, short_clock, srt, vtt

LANGUAGES = {"en": "English", "pt": "Português"}

PLAYER_ID = "subtitled-player"
"""As the script and the style sheet know it."""

SCRIPT = Path(__file__).with_name("cue_list.js").read_text("utf-8")
"""What joins the list to its player."""


def player(path: str) -> str:
    """A player of an uploaded file, which the list's script gives its tracks."""
    address = html.escape(f"gradio_api/file={path}")
    return (
        f'<video controls preload="metadata" aria-label="Your recording with subtitles" src="{address}"></video>'
        '<div class="caption" aria-hidden="true"><p lang="en"></p><p lang="pt"></p></div>'
    )


def cue_list(english: Sequence[Cue], portuguese: Sequence[Cue]) -> str:
    rows = "".join(
        f'<li data-start="{cue.start:.3f}" data-end="{cue.end:.3f}">'
        f'<button type="button" aria-label="Play from {short_clock(cue.start)}">{short_clock(cue.start)}</button>'
        f'<p lang="en">{html.escape(cue.text)}</p><p lang="pt">{html.escape(translated.text)}</p></li>'
        for cue, translated in zip(english, portuguese, strict=True)
    )
    return f"<ol class='cues' tabindex='0' aria-label='What is said, and when'>{rows}</ol>"


def files(name: str, english: Sequence[Cue], portuguese: Sequence[Cue]) -> str:
    """Links to the subtitles as files, which are part of the page."""
    links = "".join(
        f'<li><a download="{html.escape(name)}.{language}.{ending}" '
        f'href="data:{media_type};charset=utf-8;base64,{base64.b64encode(write(cues).encode()).decode()}">'
        f"{LANGUAGES[language]}, .{ending}</a></li>"
        for language, cues in (("en", english), ("pt", portuguese))
        for ending, media_type, write in (("srt", "application/x-subrip", srt), ("vtt", "text/vtt", vtt))
    )
    return f"<ul class='subtitle-files' aria-label='Subtitles to download'>{links}</ul>"
