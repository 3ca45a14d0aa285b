"""`Accept` chooses the answer's media type, whatever the header says."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import NotAcceptable
from services.http.negotiation import negotiate

OFFERED = ("image/png", "image/jpeg", "image/webp")
qualities = st.integers(0, 1000).map(lambda thousandths: thousandths / 1000)


@pytest.mark.parametrize("accept", ["", " ", ",", "*/*", "image/*", "text/html, */*;q=0.1", "image/*, text/*;q=0.9"])
def test_without_a_preference_it_is_the_first_that_is_offered(accept: str) -> None:
    assert negotiate(accept, OFFERED) == "image/png"


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("image/webp", "image/webp"),
        ("IMAGE/WEBP", "image/webp"),
        ("image/avif,image/webp,image/apng,*/*;q=0.8", "image/webp"),  # a browser
        ("image/jpeg;q=0.5, image/webp;q=0.6", "image/webp"),
        ("image/jpeg;q=0.5,image/*;q=0.4", "image/jpeg"),
        ("*/*, image/png;q=0", "image/jpeg"),
        ("image/*;q=0.5, */*;q=0.9, image/webp;q=0.6", "image/webp"),
        ("image/webp ; q=0.3 , image/png ; q=0.2", "image/webp"),
        ("image/png;q=0., image/webp;q=1.", "image/webp"),
        ("text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", "image/jpeg"),  # Java
        ("image/jpeg;level=1;q=0.4, image/webp;q=0.3", "image/jpeg"),
    ],
)
def test_the_best_liked_is_chosen(accept: str, chosen: str) -> None:
    assert negotiate(accept, OFFERED) == chosen


@pytest.mark.parametrize(
    "accept",
    [
        "text/html",
        "application/json, image/gif",
        "image/png;q=0",
        "*/*;q=0",
        "image/*;q=0, text/html",
        *(f"image/png;q={quality}" for quality in ("x", "nan", "inf", "-1", "2", "0x1", "")),
    ],
)
def test_where_none_is_liked_that_is_said(accept: str) -> None:
    with pytest.raises(NotAcceptable, match="Accept names none of image/png, image/jpeg, image/webp"):
        negotiate(accept, OFFERED)


def test_where_nothing_is_offered_nothing_is_chosen() -> None:
    assert negotiate("image/png;q=0", ()) == ""


header = st.text(st.characters(max_codepoint=255))  # as HTTP decodes them


@given(header | st.from_regex(r"[a-z*]+/[a-z*]+(; ?q=[0-9.a-z-]*)?", fullmatch=True))
def test_whatever_the_header_says_one_is_chosen_or_none_is_acceptable(accept: str) -> None:
    with contextlib.suppress(NotAcceptable):
        assert negotiate(accept, OFFERED) in OFFERED


@given(st.lists(st.tuples(st.sampled_from(OFFERED), qualities), min_size=1, max_size=3, unique_by=lambda each: each[0]))
def test_the_highest_quality_wins_and_of_equals_the_first_that_is_offered(ranges: list[tuple[str, float]]) -> None:
    header = ", ".join(f"{media_type};q={quality}" for media_type, quality in ranges)
    liking = dict(ranges)
    if not any(liking.values()):
        with pytest.raises(NotAcceptable):
            negotiate(header, OFFERED)
        return
    best = max(liking.values())
    assert negotiate(header, OFFERED) == next(each for each in OFFERED if liking.get(each) == best)


@given(general=qualities, exact=qualities, order=st.booleans())
def test_what_is_said_of_the_very_type_counts_over_what_is_said_of_its_kind(
    general: float, exact: float, order: bool
) -> None:
    parts = [f"image/*;q={general}", f"image/png;q={exact}"]
    header = ",".join(parts if order else reversed(parts))
    if general == exact == 0:
        with pytest.raises(NotAcceptable):
            negotiate(header, OFFERED)
    else:
        assert negotiate(header, OFFERED) == ("image/png" if exact >= general else "image/jpeg")
