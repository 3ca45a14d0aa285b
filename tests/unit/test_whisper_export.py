"""A Whisper as the hub has them, small and random, from a folder to text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE

from exporters.export import compare, write
from exporters.reference import Asset, Reference
from exporters.transformers_import import transformers
from exporters.whisper import from_folder
from models.model import Stepwise
from models.speech.audio import RATE, Samples
from models.speech.mel import Spectrogram
from models.speech.model import Transcript, Wish
from models.speech.whisper import GENERATION_FILE, TOKENIZER_FILE, whisper_protocol
from models.speech.whisper_transcription import WhisperModel
from models.speech_recognition import whisper
from models.task import NEXT, Conversation, Submit
from services.runners.rows import StepwiseModel
from services.runners.session import Session
from tests import recordings

SPECIAL = [
    "<|endoftext|>",
    "<|startoftranscript|>",
    "<|en|>",
    "<|pt|>",
    "<|translate|>",
    "<|transcribe|>",
    "<|startoflm|>",
    "<|startofprev|>",
    "<|nospeech|>",
    "<|notimestamps|>",
]
LETTERS = sorted(pre_tokenizers.ByteLevel.alphabet())
IDS = {name: len(LETTERS) + place for place, name in enumerate(SPECIAL)}
VOCABULARY = len(LETTERS) + len(SPECIAL) + 1501


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small random Whisper of two languages, as `save_pretrained` writes it."""
    target = tmp_path_factory.mktemp("whisper")
    library: Any = transformers
    torch.manual_seed(0)
    config = library.WhisperConfig(
        vocab_size=VOCABULARY,
        d_model=64,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        encoder_ffn_dim=128,
        decoder_ffn_dim=128,
        pad_token_id=IDS["<|endoftext|>"],
        bos_token_id=IDS["<|endoftext|>"],
        eos_token_id=IDS["<|endoftext|>"],
        decoder_start_token_id=IDS["<|startoftranscript|>"],
        init_std=0.3,
    )
    library.WhisperForConditionalGeneration(config).save_pretrained(target)
    tokenizer = Tokenizer(BPE({letter: place for place, letter in enumerate(LETTERS)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(SPECIAL)
    library.PreTrainedTokenizerFast(tokenizer_object=tokenizer).save_pretrained(target)
    library.GenerationConfig(
        lang_to_id={"<|en|>": IDS["<|en|>"], "<|pt|>": IDS["<|pt|>"]},
        no_timestamps_token_id=IDS["<|notimestamps|>"],
        suppress_tokens=[1, 2, IDS["<|startoftranscript|>"]],
        begin_suppress_tokens=[3, IDS["<|endoftext|>"]],
    ).save_pretrained(target)
    return target


MODEL = replace(
    whisper("tiny", "main", layers=2, heads=4, parameters="few"),
    languages=("en", "pt"),
    protocol=whisper_protocol(layers=2, heads=4, width=64, vocabulary=VOCABULARY),
)


@pytest.fixture(scope="module")
def export(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its graphs, each proven, and its files."""
    target = tmp_path_factory.mktemp("export")
    for part in from_folder(MODEL, folder):
        if isinstance(part, Asset):
            (target / part.name).write_bytes(part.data)
        else:
            assert isinstance(part, Reference)
            path = target / part.graph.file
            write(part, path)
            compare(part, path, MODEL.tolerance)
    return target


def test_what_the_ids_mean_is_taken_from_the_folder(export: Path) -> None:
    generation = json.loads((export / GENERATION_FILE).read_text())
    assert generation["languages"] == {"en": IDS["<|en|>"], "pt": IDS["<|pt|>"]}
    assert (generation["start"], generation["transcribe"]) == (IDS["<|startoftranscript|>"], IDS["<|transcribe|>"])
    assert (generation["no_speech"], generation["end"]) == (IDS["<|nospeech|>"], IDS["<|endoftext|>"])
    assert generation["suppressed_first"] == [3, IDS["<|endoftext|>"]]
    assert (export / TOKENIZER_FILE).exists()


def listen(model: WhisperModel, export: Path, samples: Samples, wish: Wish) -> Transcript:
    assert isinstance(model.protocol, Stepwise)
    sessions = (Session(export / graph.file, graph, device="cpu", threads=1) for graph in model.protocol.graphs)
    stepwise = StepwiseModel(model.protocol, *sessions)
    conversation: Conversation[Transcript] = model.transcribe([samples], wish, model.open(lambda name: export / name))
    reply: Any = None
    output: Any = None
    try:
        while True:
            action = conversation.send(reply)
            reply = None
            if isinstance(action, Submit):
                batch = stepwise.start(list(action.items))
                while not batch.rows[0].done:
                    stepwise.step(batch)
                output = batch.rows[0].search.result()
            elif action is NEXT:
                reply = output
    except StopIteration as end:
        transcript: Transcript = end.value
        return transcript


def reference_tokens(folder: Path, samples: Samples, prompt: Sequence[str], count: int) -> list[int]:
    """Greedy, by transformers' network, a whole pass for every token."""
    library: Any = transformers
    network = library.WhisperForConditionalGeneration.from_pretrained(folder).eval()
    spectrogram = Spectrogram([samples], 80)
    assert not list(spectrogram.survey())
    features = torch.from_numpy(spectrogram.window(0))[None]
    ids = [IDS[name] for name in prompt]
    for place in range(count):
        with torch.no_grad():
            logits = network(input_features=features, decoder_input_ids=torch.tensor([ids])).logits[0, -1]
        logits[[1, 2, IDS["<|startoftranscript|>"]]] = -torch.inf
        logits[IDS["<|notimestamps|>"] :] = -torch.inf
        if place == 0:
            logits[[3, IDS["<|endoftext|>"]]] = -torch.inf
        ids.append(int(logits.argmax()))
    return ids[len(prompt) :]


@pytest.mark.parametrize("language", ["en", "pt"])
def test_the_language_steers_and_tokens_are_transformers(folder: Path, export: Path, language: str) -> None:
    samples = recordings.samples("librivox-0880")
    heard = listen(MODEL, export, samples, Wish(temperature=0, language=language))
    prompt = ["<|startoftranscript|>", f"<|{language}|>", "<|transcribe|>", "<|notimestamps|>"]
    tokens = list(heard.segments[0].tokens[:12])
    assert tokens == reference_tokens(folder, samples, prompt, len(tokens))
    assert heard.language == language


def test_a_language_that_is_left_out_is_detected(folder: Path, export: Path) -> None:
    heard = listen(MODEL, export, recordings.samples("beckett")[: 5 * RATE], Wish(temperature=0))
    assert heard.language in ("en", "pt")
