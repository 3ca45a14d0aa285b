"""A transcript that comes piece by piece, blocking and not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from ekiben_client._answer import Meta
from ekiben_client.errors import EkibenError, StreamInterrupted
from ekiben_client.speech_recognition import TranscriptReader


class _Stream:
    def __init__(self, meta: Meta) -> None:
        self.meta = meta
        self._reader = TranscriptReader()

    @property
    def text(self) -> str:
        """All of it so far; when the stream has ended, the server's last word."""
        return self._reader.text

    def _pieces(self, chunk: bytes) -> Iterator[str]:
        try:
            yield from self._reader.feed(chunk)
        except EkibenError as error:
            error.request_id = error.request_id or self.meta.request_id
            raise

    def _check_end(self) -> None:
        if not self._reader.done:
            raise StreamInterrupted("the stream ended before the transcript", request_id=self.meta.request_id)


class SpeechStream(_Stream):
    """Iterate over it for the pieces. Raises `StreamInterrupted`, `UnexpectedAnswer`, `DeadlineExceeded`."""

    def __init__(self, chunks: Iterator[bytes], meta: Meta) -> None:
        super().__init__(meta)
        self._chunks = chunks

    def __iter__(self) -> Iterator[str]:
        for chunk in self._chunks:
            yield from self._pieces(chunk)
        self._check_end()


class AsyncSpeechStream(_Stream):
    """Iterate over it for the pieces. Raises `StreamInterrupted`, `UnexpectedAnswer`, `DeadlineExceeded`."""

    def __init__(self, chunks: AsyncIterator[bytes], meta: Meta) -> None:
        super().__init__(meta)
        self._chunks = chunks

    async def __aiter__(self) -> AsyncIterator[str]:
        async for chunk in self._chunks:
            for piece in self._pieces(chunk):
                yield piece
        self._check_end()
