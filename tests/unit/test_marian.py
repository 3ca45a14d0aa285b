"""Marian's Transformers: a small random one, saved as the hub has them, against transformers itself."""

from __future__ import annotations

import io
import json
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from sentencepiece import SentencePieceProcessor, SentencePieceTrainer

from exporters.errors import ProofFailed, SourceError
from exporters.export import compare, write
from exporters.marian import check_rewriting, from_folder, load
from exporters.reference import Asset, Reference
from exporters.transformers_import import transformers
from models.model import HubRepository, Stepwise
from models.text.sentence_translation import GreedySearch, row
from models.text.translators import CATALOGUE, HUB_VOCABULARY_FILES, Translator, transformer_protocol
from models.text.vocabulary import Vocabulary
from services.runners.rows import StepwiseModel
from services.runners.session import Session

ENGLISH = ["The cat is sleeping on the sofa.", "Where is the nearest train station?", "How are you today, my friend?"]
GERMAN = ["Die Katze schläft auf dem Sofa.", "Wo ist der nächste Bahnhof?", "Wie geht es dir heute, mein Freund?"]


def train(path: Path, lines: list[str]) -> list[str]:
    data = io.BytesIO()
    SentencePieceTrainer.train(
        sentence_iterator=iter(lines * 5), model_writer=data, vocab_size=60, hard_vocab_limit=False, minloglevel=2
    )
    path.write_bytes(data.getvalue())
    pieces = SentencePieceProcessor(model_proto=data.getvalue())
    return [pieces.id_to_piece(id) for id in range(pieces.get_piece_size())]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("opus-mt-tiny")
    pieces = train(folder / "source.spm", ENGLISH) + train(folder / "target.spm", GERMAN)
    names = dict.fromkeys(["</s>", "<unk>", *(piece for piece in pieces if piece != "<s>"), "<pad>"])
    ids = {piece: id for id, piece in enumerate(names)}
    (folder / "vocab.json").write_text(json.dumps(ids), "utf-8")
    config = transformers.MarianConfig(
        vocab_size=len(ids),
        d_model=32,
        encoder_layers=3,
        decoder_layers=2,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        encoder_ffn_dim=64,
        decoder_ffn_dim=64,
        activation_function="swish",
        scale_embedding=True,
        pad_token_id=ids["<pad>"],
        decoder_start_token_id=ids["<pad>"],
        eos_token_id=ids["</s>"],
        forced_eos_token_id=None,
        init_std=0.4,
    )
    torch.manual_seed(5)
    network: Any = transformers.MarianMTModel(config)
    network.final_logits_bias.normal_()
    network.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def model(folder: Path) -> Translator:
    size = len(json.loads((folder / "vocab.json").read_text("utf-8")))
    return replace(
        next(each for each in CATALOGUE if each.id == "opus-mt-en-de"),
        protocol=transformer_protocol(layers=2, heads=4, width=32, vocabulary=size),
        start=size - 1,
        banned=(size - 1,),
    )


@pytest.fixture(scope="module")
def vocabulary(model: Translator, folder: Path) -> Vocabulary:
    return model.open(lambda name: folder / name)


@pytest.fixture(scope="module")
def tokenizer(folder: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it recommends a package that tidies punctuation
        source, target, ids = (str(folder / name) for name in HUB_VOCABULARY_FILES)
        return transformers.MarianTokenizer(source_spm=source, target_spm=target, vocab=ids)


def test_text_becomes_the_ids_of_transformers_tokenizer_and_back(vocabulary: Vocabulary, tokenizer: Any) -> None:
    for text in [*ENGLISH, "unknown: 😀 ß", "", "a  b"]:
        assert [*vocabulary.encode(text), vocabulary.end] == tokenizer(text).input_ids
    for text in GERMAN:
        ids = tokenizer(text_target=text).input_ids[:-1]
        assert vocabulary.decode(ids) == tokenizer.decode(ids, skip_special_tokens=True)


def test_unknown_characters_are_found(vocabulary: Vocabulary) -> None:
    text = "The cat 😀 is"
    assert [text[begin:end] for begin, end in vocabulary.unknown(text)] == ["😀"]
    assert vocabulary.plain("the – cat") == "the - cat"


def test_the_export_writes_what_transformers_writes(
    model: Translator, folder: Path, vocabulary: Vocabulary, tokenizer: Any, tmp_path: Path
) -> None:
    """Greedily, alone in transformers and together here."""
    parts = from_folder(model, folder)
    assert [part.name for part in parts if isinstance(part, Asset)] == list(HUB_VOCABULARY_FILES)
    sessions = []
    for part in parts:
        if isinstance(part, Reference):
            write(part, tmp_path / part.graph.file)
            compare(part, tmp_path / part.graph.file, model.tolerance)
            sessions.append(Session(tmp_path / part.graph.file, part.graph, device="cpu", threads=1))
    assert isinstance(model.protocol, Stepwise)
    stepwise = StepwiseModel(model.protocol, *sessions)
    texts = [*ENGLISH, "cat", "The friend is sleeping.", "sofa sofa today"]
    items = [row(model, vocabulary, text) for text in texts]
    searches = [item.search for item in items if isinstance(item.search, GreedySearch)]
    for search in searches:
        search.may_loop = True  # transformers stops at no loop
    first, second = stepwise.start(items[:4]), stepwise.start(items[4:])
    stepwise.step(first)  # the others join a step later, with a shorter past
    batch = stepwise.join([first, second])
    while stay := [place for place, each in enumerate(batch.rows) if not each.done]:
        batch = stepwise.keep(batch, stay)
        stepwise.step(batch)
    network = load(folder)
    lengths = set()
    for text, search in zip(texts, searches, strict=True):
        written = network.generate(
            **tokenizer(text, return_tensors="pt"),
            num_beams=1,
            do_sample=False,
            max_new_tokens=search.most,
            bad_words_ids=[[network.config.pad_token_id]],
        )[0, 1:]
        assert search.result() == [int(id) for id in written if id != network.config.eos_token_id], text
        lengths.add(len(search.tokens))
    assert len(lengths) > 2


def test_a_rewriting_that_computes_something_else_is_refused(folder: Path) -> None:
    network = load(folder)
    check_rewriting(network, 1e-4)
    network.config.dropout = network.model.decoder.dropout = 0.5
    network.train()  # transformers drops half of everything now, the graphs nothing
    with pytest.raises(ProofFailed):
        check_rewriting(network, 1e-4)


def test_a_network_that_is_not_the_declared_one_is_refused(model: Translator, folder: Path) -> None:
    for wrong in (
        replace(model, start=3),
        replace(model, banned=()),
        replace(model, protocol=transformer_protocol(layers=6, heads=4, width=32, vocabulary=model.start + 1)),
        replace(model, protocol=transformer_protocol(layers=2, heads=4, width=32, vocabulary=7)),
    ):
        with pytest.raises(SourceError, match="is declared with"):
            from_folder(wrong, folder)


def test_the_catalogue_names_pairs_of_the_hub() -> None:
    pairs = {
        (each.source_language, each.target_language) for each in CATALOGUE if isinstance(each.source, HubRepository)
    }
    assert pairs == {("en", each) for each in ("de", "fr", "es")} | {(each, "en") for each in ("de", "fr", "es")}
