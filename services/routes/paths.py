"""Where the dialects' routes and those of operations are: said once, for all who add, open, count or word them."""

from __future__ import annotations

from typing import Final

TRANSLATE: Final = "/translate"
DETECT: Final = "/detect"
LANGUAGES: Final = "/languages"
KEY_IN_BODY: Final = frozenset({TRANSLATE, DETECT})
"""Where a body's field `api_key` is read, as LibreTranslate's clients send it."""
LIBRETRANSLATE: Final = KEY_IN_BODY | {LANGUAGES}

OPENAI_AUDIO: Final = "/v1/audio/"
TRANSCRIPTIONS: Final = OPENAI_AUDIO + "transcriptions"

OPEN_INFERENCE: Final = "/v2"
OPEN_INFERENCE_MODEL: Final = OPEN_INFERENCE + "/models/{model}"
OPEN_INFERENCE_LIVE: Final = OPEN_INFERENCE + "/health/live"
OPEN_INFERENCE_READY: Final = OPEN_INFERENCE + "/health/ready"

LIVE: Final = "/livez"
READY: Final = "/readyz"
PROBES: Final = frozenset({LIVE, READY, "/healthz"})
METRICS: Final = "/metrics"
