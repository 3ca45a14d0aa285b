"""What must not change is found, replaced by names, and put back only where every name came through."""

from __future__ import annotations

from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.text.protection import joined, mask, number_spans, numbers_kept, protected_spans, united, whole_spans


def found(text: str) -> list[str]:
    return [text[begin:end] for begin, end in united(protected_spans(text))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("See https://example.com/a?b=c&d=(e)#f.", ["https://example.com/a?b=c&d=(e)#f"]),
        ("(www.example.org/x), then", ["www.example.org/x"]),
        ("Write to joe.doe+x@mail.example.org!", ["joe.doe+x@mail.example.org"]),
        ("Hello {name}, {{other}} and ${third}", ["{name}", "{{other}}", "${third}"]),
        ("%s has %(count)d of %1$s, %.2f %%", ["%s", "%(count)d", "%1$s", "%.2f"]),
        ("20% discount, 5% e 10% sobre", []),
        ('Click <a href="x">here</a> or <br/>', ['<a href="x">', "</a>", "<br/>"]),
        ("5 < 6 > 4 and a <- b", []),
        ("`pip install x` by @joe on #today, a#b", ["`pip install x`", "@joe", "#today"]),
        ("A" * 100, ["A" * 100]),
        ("{n, plural, one {# file} other {# files}} selected", ["{n, plural, one {# file} other {# files}}"]),
        ("[[name]], $(name), $name and %name% but $5 and 5%", ["[[name]]", "$(name)", "$name", "%name%"]),
        ("%lu of %@, :count :smile: at 14:30, a:b", ["%lu", "%@", ":count", ":smile:"]),
        (r"Copy C:\Users\Ann\a.txt. Line\nThen\tstop", [r"C:\Users\Ann\a.txt", r"\n", r"\t"]),
        ("the *best* of **all**, 2*3 * 4", ["*", "*", "**", "**"]),
        ("25 m² of CO₂, 10⁻³", ["²", "₂", "⁻³"]),
        ('[the docs](https://a.b/c "t"), ![x](y.png), a[1] (2)', ["[", '](https://a.b/c "t")', "![", "](y.png)"]),
        ("plain words, nothing more: no.", []),
    ],
)
def test_what_is_protected(text: str, expected: list[str]) -> None:
    assert found(text) == expected


@pytest.mark.parametrize(
    ("source", "target", "kept"),
    [
        ("3.5% of 1,000", "3,5% de 1.000", True),
        ("$1,234.56", "$1,234,56", False),
        ("2 of 3", "3 de 2", True),
        ("2 of 3", "3 de dois", False),
        ("two", "2", False),
        ("2024-05-06", "2024-05-06", True),
        ("none", "nenhum", True),
    ],
)
def test_numbers_are_the_same_when_comma_and_point_change_roles(source: str, target: str, kept: bool) -> None:
    assert numbers_kept(source, target) is kept


@pytest.mark.parametrize(
    ("text", "place", "expected"),
    [
        ("Zoë's cat", (2, 3), "Zoë"),
        ("it costs €5 now", (9, 10), "€5"),
        ("so 👩\u200d👧 there", (3, 4), "👩\u200d👧"),
        ("key 1\ufe0f\u20e3 off", (6, 7), "1\ufe0f\u20e3"),
        ("love it😀!", (7, 8), "😀"),
    ],
)
def test_a_span_is_taken_whole(text: str, place: tuple[int, int], expected: str) -> None:
    [(begin, end)] = united(whole_spans(text, [place, place] if "\u200d" not in text else [place, (5, 6)]))
    assert text[begin:end] == expected


def test_names_are_set_apart_from_words_and_put_back() -> None:
    text = "Click <b>here</b> now"
    masked = mask(text, united(protected_spans(text)))
    assert masked.text == "Click X1 here X2 now"
    assert masked.restore("Clique X1 aqui X2 agora") == "Clique <b>aqui</b> agora"


@pytest.mark.parametrize(
    ("text", "expected"),
    [("%d:%d", ["%d:%d"]), ("{a}-{b}", ["{a}-{b}"]), ("{a}, {b}", ["{a}", "{b}"]), ("{a}x{b}", ["{a}", "{b}"])],
)
def test_spans_with_only_punctuation_between_them_are_one(text: str, expected: list[str]) -> None:
    assert [text[begin:end] for begin, end in joined(text, protected_spans(text))] == expected


def test_tags_are_not_put_back_around_nothing() -> None:
    masked = mask("a <b>c</b> d", protected_spans("a <b>c</b> d"))
    assert masked.restore("A X1 C X2 D", in_order=True) == "A <b>C</b> D"
    assert masked.restore("A C X1 X2 D", in_order=True) is None


@pytest.mark.parametrize("translated", ["nothing", "X1", "X1 X1", "X1 X2 X3", "X1 X22", "x1 x2"])
def test_a_translation_without_every_name_once_is_refused(translated: str) -> None:
    assert mask("{a} {b}", [(0, 3), (4, 7)]).restore(translated) is None


def test_names_that_changed_places_are_refused_only_where_order_matters() -> None:
    masked = mask("{a} {b}", [(0, 3), (4, 7)])
    assert masked.restore("X2 X1") == "{b} {a}"
    assert masked.restore("X2 X1", in_order=True) is None


@given(st.text(st.sampled_from("XZ123 {}a.")), st.data())
def test_a_text_masked_and_restored_is_the_text(text: str, data: st.DataObject) -> None:
    places = data.draw(st.lists(st.tuples(st.integers(0, len(text)), st.integers(0, len(text)))))
    spans = united((begin, end) for begin, end in places if begin < end)
    masked = mask(text, spans)
    assert masked.restore(masked.text, in_order=True) == text


@pytest.mark.parametrize(
    "unit",
    [
        "a",
        "@",
        "a@",
        "{",
        "%",
        "<a",
        "<",
        "`",
        "http://",
        "www.",
        "1.",
        "#a",
        '"',
        "{{",
        "a.",
        "{ {",
        "{ {} ",
        " :",
        " $(",
        " [[a",
        " %a",
        " C:\\",
        " \\",
    ],
)
def test_a_long_piece_takes_no_time(unit: str) -> None:
    text = unit * (200_000 // len(unit))
    started = process_time()
    spans = united([*protected_spans(text), *number_spans(text)])
    mask(text, spans[:9])
    assert process_time() - started < 5
