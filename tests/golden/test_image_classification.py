"""Labels and scores against the reference implementation (efficientnet-lite-pytorch 0.1.0 in float32)."""

from __future__ import annotations

import httpx
import pytest

from tests import photographs

TOLERANCE = 0.01

# photograph → the three best labels and their probabilities by the reference, for the same decoded RGB
LITE0 = {
    "astronaut": [("football helmet", 0.1614), ("bobsled", 0.1096), ("go-kart", 0.0642)],
    "chelsea": [("tiger cat", 0.3851), ("Egyptian cat", 0.3627), ("tabby", 0.1672)],
    "coffee": [("espresso", 0.9511), ("cup", 0.0150), ("consomme", 0.0078)],
    "motorcycle": [("moped", 0.5327), ("motor scooter", 0.1347), ("disk brake", 0.0640)],
    "rocket": [("missile", 0.3196), ("projectile", 0.2113), ("drilling platform", 0.0842)],
    "grace_hopper": [("academic gown", 0.2451), ("mortarboard", 0.2148), ("military uniform", 0.1746)],
}
LITE2 = {
    "astronaut": [("barbell", 0.0748), ("bobsled", 0.0656), ("ski", 0.0574)],
    "chelsea": [("Egyptian cat", 0.6200), ("tiger cat", 0.1159), ("tabby", 0.0973)],
    "coffee": [("espresso", 0.8863), ("cup", 0.0120), ("consomme", 0.0089)],
    "motorcycle": [("moped", 0.1614), ("disk brake", 0.1220), ("motor scooter", 0.1123)],
    "rocket": [("drilling platform", 0.1108), ("missile", 0.0682), ("projectile", 0.0544)],
    "grace_hopper": [("suit", 0.1014), ("Windsor tie", 0.0767), ("military uniform", 0.0748)],
}
CASES = [
    (model, photograph)
    for model, golden in (("efficientnet-lite0", LITE0), ("efficientnet-lite2", LITE2))
    for photograph in golden
]


@pytest.mark.parametrize(("model", "photograph"), CASES)
def test_labels_and_scores_are_those_of_the_reference(http: httpx.Client, model: str, photograph: str) -> None:
    golden = {"efficientnet-lite0": LITE0, "efficientnet-lite2": LITE2}[model][photograph]
    response = http.post(
        "/v1/image-classification",
        params={"model": model, "top_k": 3},
        content=photographs.path(photograph).read_bytes(),
    )
    assert response.status_code == 200
    answer = response.json()
    assert [each["label"] for each in answer] == [label for label, _ in golden]
    assert [each["score"] for each in answer] == pytest.approx([score for _, score in golden], abs=TOLERANCE)
