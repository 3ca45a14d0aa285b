"""Repositories of Hugging Face's hub: fetched only for a model that is named, never by default."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from exporters.errors import SourceError
from models.model import HubRepository

HUB_TIMEOUT_SECONDS = 20.0

# No pickles: they can run code.
FILES = ("*.json", "*.txt", "model.safetensors")


def hub_folder(
    source: HubRepository, files: Sequence[str] = FILES, *, timeout_seconds: float = HUB_TIMEOUT_SECONDS
) -> Path:
    """The folder that the source names, or the repository in the client's cache, or else from the hub.

    Raises `SourceError`.
    """
    # These take a while to import, and httpx2 is the client of huggingface_hub.
    import httpx2
    from huggingface_hub import HfApi
    from huggingface_hub.errors import LocalEntryNotFoundError

    if (folder := Path(source.repository)).is_dir():
        return folder
    try:
        try:
            return _download(source, source.revision, files, local_files_only=True)
        except LocalEntryNotFoundError:
            # Asked first, with a time limit: the download itself asks without one, and tries again and again.
            info = HfApi().model_info(source.repository, revision=source.revision, timeout=timeout_seconds)
            return _download(source, info.sha, files)
    except (OSError, ValueError, httpx2.HTTPError) as error:
        reason = " ".join(str(error).split()) or repr(error)
        raise SourceError(f"{source}: cannot be fetched from Hugging Face's hub: {reason}") from error


def _download(
    source: HubRepository, commit: str | None, files: Sequence[str], *, local_files_only: bool = False
) -> Path:
    from huggingface_hub import snapshot_download

    return Path(
        snapshot_download(
            source.repository, revision=commit, allow_patterns=list(files), local_files_only=local_files_only
        )
    )
