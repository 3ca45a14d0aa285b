"""A large JPEG is decoded at a fraction of its size: cheaper, and the scores stay where they are."""

from __future__ import annotations

import httpx
import pytest
from PIL import Image

from models.image_classification import ImageClassification
from models.limits import Limits
from models.pictures.image import decode
from tests import photographs

LITE0 = ImageClassification.models[0]


def camera_jpeg(name: str) -> bytes:
    """A photograph of 12 megapixels."""
    return photographs.encoded(photographs.rgb(name).resize((4000, 3000), Image.Resampling.BICUBIC), "JPEG", quality=90)


@pytest.mark.parametrize("name", list(photographs.FILES))
def test_scores_of_a_12_megapixel_picture_stay_within_two_hundredths(http: httpx.Client, name: str) -> None:
    data = camera_jpeg(name)
    whole = photographs.encoded(decode(data, field="image", limits=Limits()).image, "PNG")
    drafted, exact = (
        {each["label"]: each["score"] for each in http.post("/v1/image-classification", content=body).json()}
        for body in (data, whole)
    )
    assert drafted == pytest.approx(exact, abs=0.02)


def test_two_and_a_half_times_the_target_remains() -> None:
    picture = decode(camera_jpeg("coffee"), field="image", limits=Limits(), resampled=LITE0.crop.resampled)
    assert picture.image.size == (1000, 750) and picture.size == (4000, 3000)
    small = photographs.encoded(photographs.rgb("coffee").resize((1270, 1270)), "JPEG")
    assert decode(small, field="image", limits=Limits(), resampled=LITE0.crop.resampled).image.size == (1270, 1270)
