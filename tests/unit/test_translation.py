"""The task's conversation, driven with outputs by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import InvalidInput
from models.task import NEXT, PAUSE, Partial, Request, Submit
from models.text.lookahead import WINDOW
from models.text.translators import CATALOGUE
from models.translation import AT_ONCE, Piece, Translation, TranslationParameters, find_translator

TASK = Translation()
EN_PT, PT_EN = CATALOGUE[:2]


class Characters:
    """A vocabulary whose ids are characters."""

    end = 0

    def plain(self, text: str) -> str:
        return text

    def encode(self, text: str) -> list[int]:
        return [ord(character) for character in text]

    def unknown(self, text: str) -> list[tuple[int, int]]:
        return []

    def decode(self, ids: Sequence[int]) -> str:
        return "".join(map(chr, ids))


def request_of(texts: Sequence[str], **parameters: Any) -> Request[TranslationParameters]:
    return Request(
        {},
        TranslationParameters(**parameters),
        texts={"inputs": tuple(texts)},
        opened={EN_PT.id: Characters(), PT_EN.id: Characters()},
    )


class Answered:
    """What a conversation answers when the model from English writes capitals and the other one small letters."""

    def __init__(self, texts: Sequence[str], **parameters: Any) -> None:
        self.models: list[str] = []
        self.pieces: list[Piece] = []
        self.most_waiting = 0
        self.most_pieces = 0
        """Of those between two waits or pauses."""
        pieces = 0
        conversation = TASK.converse(EN_PT, request_of(texts, **parameters))
        waiting: list[str] = []
        reply: Any = None
        while True:
            try:
                action = conversation.send(reply)
            except StopIteration as end:
                self.texts = [each.translation_text for each in end.value]
                return
            reply = None
            if isinstance(action, Submit):
                assert action.model is not None
                self.models += [action.model.id] * len(action.items)
                for item in action.items:
                    text = "".join(map(chr, item.inputs["ids"][:-1]))
                    waiting.append(text.upper() if action.model is EN_PT else text.lower())
                self.most_waiting = max(self.most_waiting, len(waiting))
            elif isinstance(action, Partial):
                self.pieces.append(action.value)
                pieces += 1
                self.most_pieces = max(self.most_pieces, pieces)
            elif action is PAUSE:
                pieces = 0
            else:
                pieces = 0
                assert action is NEXT
                reply = [ord(character) for character in waiting.pop(0)]


def test_sentences_are_translated_and_what_is_between_them_stays() -> None:
    answered = Answered([" One here.  Two there.\r\n\n\tThree \n"], src_lang="en")
    assert answered.texts == [" ONE HERE.  TWO THERE.\r\n\n\tTHREE \n"]


def test_one_request_uses_the_models_of_both_ways() -> None:
    answered = Answered(["Good morning, my friend.", "Bom dia, MEU AMIGO."])
    assert answered.texts == ["GOOD MORNING, MY FRIEND.", "bom dia, meu amigo."]
    assert answered.models == [EN_PT.id, PT_EN.id]


@given(st.lists(st.text(st.sampled_from("ab. \n{}1")), max_size=5))
def test_the_pieces_that_are_streamed_are_the_answer(texts: list[str]) -> None:
    answered = Answered(texts, src_lang="en")
    assert [piece.input for piece in answered.pieces] == sorted(piece.input for piece in answered.pieces)
    for place, text in enumerate(answered.texts):
        assert "".join(piece.text for piece in answered.pieces if piece.input == place) == text
    assert [text.lower() for text in answered.texts] == texts


def test_a_long_document_is_under_way_a_window_at_a_time() -> None:
    answered = Answered(["One sentence here.\n" * 1000], src_lang="en")
    assert len(answered.models) == 1000
    assert answered.most_waiting == WINDOW


@pytest.mark.parametrize(
    ("text", "format"),
    [
        ("1\n" * 1_000, "text"),
        ("a b" + "\n1" * 1_000, "text"),
        ("a\n" * 2 * WINDOW + "1\n" * 1_000, "text"),
        ("<p>1" * 1_000, "html"),
    ],
)
def test_others_have_the_thread_between_pieces_that_wait_for_nothing(text: str, format: str) -> None:
    answered = Answered([text], src_lang="en", format=format)
    assert len(answered.pieces) > 1_000
    assert answered.most_pieces <= 2 * AT_ONCE


def test_others_have_the_thread_while_languages_are_found_out() -> None:
    conversation = TASK.converse(EN_PT, request_of(["O gato está dormindo no sofá."] * 20 * AT_ONCE, tgt_lang="pt"))
    assert [next(conversation) for _ in range(20)] == [PAUSE] * 20


def test_html_keeps_its_tags() -> None:
    document = "<p>one <b>two</b> &amp; three</p>\n<script>four</script><!-- five --><br>six"
    answered = Answered([document], src_lang="en", format="html")
    assert answered.texts == ["<p>ONE <b>TWO</b> &amp; THREE</p>\n<script>four</script><!-- five --><br>SIX"]
    assert all(piece.text for piece in answered.pieces), "a piece that is nothing is nothing to be told of"


@pytest.mark.parametrize(
    ("parameters", "text", "expected"),
    [
        ({}, "The cat is sleeping on the sofa.", EN_PT),
        ({}, "O gato está dormindo no sofá.", PT_EN),
        ({"src_lang": "EN-us"}, "O gato", EN_PT),
        ({"tgt_lang": "pt_BR"}, "The cat is sleeping.", EN_PT),
        ({"tgt_lang": "pt"}, "O gato está dormindo no sofá.", None),
        ({"src_lang": "pt", "tgt_lang": "pt"}, "The cat", None),
        ({}, "", EN_PT),
    ],
)
def test_the_pair_follows_from_the_languages(parameters: dict[str, str], text: str, expected: Any) -> None:
    assert find_translator([EN_PT, PT_EN], text, TranslationParameters(**parameters)) is expected
    assert TASK.choose([EN_PT, PT_EN], request_of([text], **parameters)) is (expected or EN_PT)


@pytest.mark.parametrize(
    ("parameters", "text", "field"),
    [
        ({"src_lang": "de"}, "Hallo", "src_lang"),
        ({"src_lang": "en", "tgt_lang": "de"}, "Hello", "tgt_lang"),
        ({"src_lang": "de", "tgt_lang": "de"}, "Hallo", "src_lang"),
        ({"src_lang": "de", "tgt_lang": "pt"}, "Hallo", "src_lang"),
        ({"tgt_lang": "de"}, "The cat is sleeping on the sofa.", "tgt_lang"),
        ({}, "Где находится вокзал?", "src_lang"),
    ],
)
def test_a_pair_that_no_model_covers_is_refused_with_those_that_are(
    parameters: dict[str, str], text: str, field: str
) -> None:
    with pytest.raises(InvalidInput, match="en to pt, pt to en") as refused:
        Answered([text], **parameters)
    assert [each.field for each in refused.value.fields] == [field]


def test_a_named_model_translates_its_pair_and_no_other() -> None:
    assert Answered(["O gato está dormindo."], model=EN_PT.id).models == [EN_PT.id]
    with pytest.raises(InvalidInput):
        Answered(["O gato está dormindo."], model=EN_PT.id, src_lang="pt", tgt_lang="en")


def test_half_a_surrogate_pair_is_refused() -> None:
    for parameters in ({}, {"src_lang": "en"}):
        with pytest.raises(InvalidInput, match="surrogate"):
            Answered(["a\ud800b"], **parameters)


def test_no_texts_no_translations() -> None:
    assert Answered([]).texts == []
