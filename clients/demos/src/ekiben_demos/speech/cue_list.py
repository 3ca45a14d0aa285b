"""Cues in two languages beside a player: as a list, as tracks, as files."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence

from ekiben_demos.speech.subtitles import Cue, short_clock, srt, vtt

LANGUAGES = {"en": "English", "pt": "Português"}

PLAYER_ID = "subtitled-player"

CSS = f"""
#{PLAYER_ID} video {{ width: 100%; height: 15rem; background: #191714; border-radius: .6rem; display: block }}
#{PLAYER_ID} > div {{ position: relative }}
#{PLAYER_ID} .caption {{ position: absolute; inset: 0 1rem 4.5rem; display: flex; flex-direction: column; gap: .5rem;
  justify-content: center; text-align: center; color: #fff; pointer-events: none }}
#{PLAYER_ID} .caption p {{ margin: 0 }}
.cues {{ list-style: none; padding: 0; margin: 0; max-height: 32rem; overflow-y: auto }}
.cues li {{ display: grid; grid-template-columns: 4rem 1fr 1fr; gap: .2rem 1.2rem; padding: .6rem; margin: 0;
  border-bottom: 1px solid var(--border-color-primary) }}
.cues li.now {{ background: color-mix(in srgb, #c24a32 14%, transparent) }}
.cues p {{ margin: 0 }}
.cues button {{ justify-self: start; align-self: start; border: 0; background: none; padding: 0 .2rem; cursor: pointer;
  color: var(--link-text-color); text-decoration: underline; font: inherit; font-variant-numeric: tabular-nums }}
.subtitle-files {{ display: flex; flex-wrap: wrap; gap: .4rem 1.4rem; padding: 0; margin: .6rem; list-style: none }}
.subtitle-files a {{ color: var(--link-text-color); text-decoration: underline }}
@media (max-width: 40rem) {{
  .cues li {{ grid-template-columns: 3rem 1fr; gap: .2rem .8rem }}
  .cues button {{ grid-row: 1 / 3 }}
  .cues p[lang=pt] {{ color: var(--body-text-color-subdued) }}
}}
"""

SCRIPT = (
    "const video = () => document.querySelector('#"
    + PLAYER_ID
    + """ video');
const cues = () => [...element.querySelectorAll('.cues li')];

element.addEventListener('click', event => {
  const cue = event.target.closest('.cues button')?.closest('li');
  if (!cue || !video()) return;
  video().currentTime = Number(cue.dataset.start);
  video().play();
});

// Over mere sound browsers draw tracks below the controls, if at all: there the caption shows them.
function reveal() {
  for (const track of video().textTracks) track.mode = video().videoWidth ? 'showing' : 'hidden';
}

function show() {
  const player = video();
  const current = cue => cue.dataset.start <= player.currentTime && player.currentTime < cue.dataset.end;
  cues().forEach(cue => cue.classList.toggle('now', current(cue)));
  for (const line of player.nextElementSibling.children)
    line.textContent = player.videoWidth ? '' : cues().find(current)?.querySelector(`[lang=${line.lang}]`).textContent;
}

// Cues join the player's tracks as they come, so that it need not be loaded anew while it plays.
function join() {
  const player = video();
  if (!player) return;
  if (!player.textTracks.length) {
    for (const [language, label] of [['en', 'English'], ['pt', 'Português']])
      player.addTextTrack('subtitles', label, language).mode = 'hidden';
    player.addEventListener('timeupdate', show);
    player.addEventListener('loadedmetadata', reveal);
    reveal();
  }
  for (const track of player.textTracks)
    for (const cue of cues().slice(track.cues.length)) {
      const text = cue.querySelector(`[lang=${track.language}]`)?.textContent;
      if (text) track.addCue(new VTTCue(Number(cue.dataset.start), Number(cue.dataset.end), text));
    }
}
watch('value', join);
"""
)


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
