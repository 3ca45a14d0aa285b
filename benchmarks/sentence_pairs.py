"""200 sentences in English and Portuguese, out of Debian's installation guide.

The guide's text is GPL-2, so it is fetched where it is needed and not kept here. Of pages with equally many
paragraphs in both languages, the paragraphs of 6 to 40 words that are prose and of like length.
"""

from __future__ import annotations

import hashlib
import html
import random
import re
import subprocess
import tempfile
from pathlib import Path

from platformdirs import user_cache_path

PACKAGE = "installation-guide-amd64"
COUNT = 200
SHA256 = "35506927b364d81c3fd3b9ed92b96e50d32a874f1ad9805bccbe2b5577a79f4f"
"""Of the pairs of version 20230508+deb12u1; another version of the guide gives other pairs."""


def sentence_pairs() -> list[tuple[str, str]]:
    """(English, Portuguese) pairs, always the same ones."""
    kept = user_cache_path("ekiben") / "sentence-pairs.tsv"
    if not kept.exists():
        with tempfile.TemporaryDirectory() as scratch:
            text = "\n".join("\t".join(pair) for pair in _choose(_fetch_guide(Path(scratch))))
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(text, "utf-8")
    if hashlib.sha256(kept.read_bytes()).hexdigest() != SHA256:
        print(f"{kept} holds other pairs than those of the published figures: another version of the guide")
    return [
        (english, portuguese)
        for english, portuguese in (line.split("\t") for line in kept.read_text("utf-8").splitlines())
    ]


def _fetch_guide(folder: Path) -> Path:
    """The guide's pages: `en/*.html`, `pt/*.html`."""
    subprocess.run(["apt-get", "download", PACKAGE], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    [package] = folder.glob("*.deb")
    subprocess.run(["dpkg-deb", "--extract", str(package), str(folder)], check=True)
    return folder / "usr/share/doc" / PACKAGE


def _choose(guide: Path) -> list[tuple[str, str]]:
    pairs: set[tuple[str, str]] = set()
    for page in sorted((guide / "en").glob("*.html")):
        other = guide / "pt" / page.name
        english, portuguese = _paragraphs(page), _paragraphs(other) if other.exists() else []
        if len(english) == len(portuguese):
            pairs |= {pair for pair in zip(english, portuguese, strict=True) if _is_good(*pair)}
    chosen = sorted(pairs)
    random.Random(0).shuffle(chosen)
    return chosen[:COUNT]


def _paragraphs(page: Path) -> list[str]:
    text = re.sub(r"<pre.*?</pre>", " ", page.read_text("utf-8", "replace"), flags=re.DOTALL)
    found = re.findall(r"<p>(.*?)</p>", text, flags=re.DOTALL)
    return [re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", "", each))).strip() for each in found]


def _is_good(english: str, portuguese: str) -> bool:
    return (
        6 <= len(english.split()) <= 40
        and english != portuguese
        and english.count(".") <= 2
        and 0.6 < len(portuguese) / len(english) < 1.8
        and not re.search(r"[/\\$=]|--", english)
    )
