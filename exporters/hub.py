"""Models of a hub, fetched by transformers' own client: only for a model that is named, never by default."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from exporters.errors import SourceError
from models.model import HubRepository

PATTERNS = ("*.json", "*.txt", "model.safetensors")


def hub_folder(source: HubRepository, patterns: Sequence[str] = PATTERNS) -> Path:
    """The repository at its revision, from the client's cache or else from the hub. Raises `SourceError`."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(source.repository, revision=source.revision, allow_patterns=list(patterns)))
    except (OSError, HfHubHTTPError, LocalEntryNotFoundError) as error:
        raise SourceError(f"{source}: cannot be fetched from its hub: {error}") from error
