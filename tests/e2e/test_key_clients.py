"""Clients that others wrote, unmodified, and our own, against a server that wants keys."""

from __future__ import annotations

import json
import subprocess
import sys
from urllib.error import HTTPError

import numpy as np
import openai
import pytest
from huggingface_hub import InferenceClient
from huggingface_hub.errors import HfHubHTTPError
from libretranslatepy import LibreTranslateAPI
from tritonclient.http import InferenceServerClient, InferInput
from tritonclient.utils import InferenceServerException

from tests import photographs, recordings
from tests.e2e.checks import ROUTE
from tests.e2e.doors import (
    ANN,
    SECRETS,
    WRONG,
    bearer,
)
from tests.e2e.speech import BECKETT
from tests.golden.test_translation import EN_PT
from tests.serving import ROOT, Server, clean_environment

CAT, GATO = next(iter(EN_PT.items()))


def test_openai(closed_server: Server) -> None:
    with openai.OpenAI(base_url=f"{closed_server.url}/v1", api_key=ANN, max_retries=0) as client:
        assert client.audio.transcriptions.create(model="whisper-1", file=recordings.path("beckett")).text == BECKETT
        assert len(client.models.list().data) == 3
    with openai.OpenAI(base_url=f"{closed_server.url}/v1", api_key=WRONG, max_retries=0) as client:
        with pytest.raises(openai.AuthenticationError) as refused:
            client.audio.transcriptions.create(model="whisper-1", file=recordings.path("beckett"))
        assert refused.value.code == "invalid_api_key"
        with pytest.raises(openai.AuthenticationError):
            client.models.list()


def test_huggingface_hub(closed_server: Server) -> None:
    def client(key: str) -> InferenceClient:
        return InferenceClient(model=closed_server.url + ROUTE, provider="hf-inference", token=key, timeout=60)

    assert client(ANN).image_classification(photographs.path("chelsea"))[0].label == "tiger cat"
    with pytest.raises(HfHubHTTPError, match="401"):
        client(WRONG).image_classification(photographs.path("chelsea"))


def test_libretranslatepy(closed_server: Server) -> None:
    client = LibreTranslateAPI(closed_server.url, api_key=ANN)
    assert client.translate(CAT, "en", "pt") == GATO
    assert client.detect(CAT)[0]["language"] == "en"
    assert client.languages() == [
        {"code": "en", "name": "English", "targets": ["pt"]},
        {"code": "pt", "name": "Portuguese", "targets": []},
    ]
    for key in (WRONG, None):
        with pytest.raises(HTTPError) as refused:
            LibreTranslateAPI(closed_server.url, api_key=key).translate(CAT, "en", "pt")
        with refused.value as response:
            assert response.code == 401 and set(json.loads(response.read())) == {"error"}


def test_tritonclient(closed_server: Server) -> None:
    client = InferenceServerClient(closed_server.url.removeprefix("http://"), connection_timeout=60, network_timeout=60)
    picture = np.zeros((1, 224, 224, 3), np.uint8)
    tensor = InferInput("image", list(picture.shape), "UINT8").set_data_from_numpy(picture)
    try:
        assert client.is_server_ready()
        answer = client.infer("efficientnet-lite0", [tensor], headers=bearer(ANN))
        assert answer.as_numpy("probabilities").shape == (1, 1000)
        with pytest.raises(InferenceServerException, match="key is needed"):
            client.infer("efficientnet-lite0", [tensor])
    finally:
        client.close()


@pytest.mark.parametrize(("key", "says"), [(ANN, "tiger cat"), (WRONG, "not known"), ("", "needed")])
def test_our_own_command_line(closed_server: Server, key: str, says: str) -> None:
    variables = {"EKIBEN_URL": closed_server.url, "PYTHONPATH": str(ROOT / "clients/python/src")}
    done = subprocess.run(
        [sys.executable, "-m", "ekiben_client", "classify", str(photographs.path("chelsea"))],
        env=clean_environment(**variables, **({"EKIBEN_API_KEY": key} if key else {})),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode == 0) == (key == ANN), done.stderr
    assert says in done.stdout + done.stderr
    assert not any(secret in done.stdout + done.stderr for secret in SECRETS)
