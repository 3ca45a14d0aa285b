"""OpenAI's audio API: transcriptions in five formats, whole or streamed."""
