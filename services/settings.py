"""What can be set from outside, as environment variables: `EKIBEN_DEVICE=cuda`, `EKIBEN_LIMITS__JSON_DEPTH=8`."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from models import default_models, find_model
from models.limits import Limits
from models.model import Model
from services.access.keys import Key, parse_keys
from services.access.origins import parse_origins
from services.http.connections import Address

PREFIX = "EKIBEN_"
Device = Literal["auto", "cpu", "cuda"]


class Settings(BaseSettings):
    """Read once at start-up; a name or a value that is not understood stops the start."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        frozen=True,
        arbitrary_types_allowed=True,
        hide_input_in_errors=True,  # some of it is secret
    )

    device: Device = Field(default="auto", description="`cuda` refuses to start where CUDA is not really in use.")
    models: Annotated[tuple[Model, ...], NoDecode] = Field(
        default_factory=default_models, description="Ids of the models to serve, with commas between them."
    )
    gpu_memory_bytes: int | None = Field(
        default=None, ge=1, description="What each session may take of its card; without it there is no bound."
    )
    queue_requests: int = Field(default=64, ge=1, description="Lone requests that may wait for a model before a 429.")
    runners: Literal["embedded", "services"] = Field(
        default="embedded", description="`services`: each runner is a process of its own, here or elsewhere."
    )
    runner_urls: dict[str, str] = Field(
        default={}, description="Where runners of other machines are, by model id, as JSON; with `services` only."
    )
    gateway_workers: int = Field(
        default=1, ge=1, description="Processes that answer HTTP and share the runners; with `services` only."
    )
    drain_seconds: float = Field(
        default=1.0, ge=0, description="How long after SIGTERM requests are still let in, while balancers notice."
    )
    grace_seconds: float = Field(
        default=60.0, gt=0, description="How long after that what is in flight may take to finish."
    )
    stuck_seconds: float = Field(
        default=300.0, gt=0, description="How long one run may take before `/livez` says that it hangs."
    )
    tracing_endpoint: str | None = Field(
        default=None, description="Where spans are sent by OTLP over HTTP; without it there are none."
    )
    body_memory_bytes: int = Field(
        default=1_000_000_000, ge=1, description="What the bodies of all requests in flight may take together."
    )
    api_keys: Annotated[tuple[Key, ...], NoDecode] = Field(
        default=(), description="Who may ask: `holder:key`, or keys alone, with commas between them. Without any: all."
    )
    api_keys_file: Path | None = Field(default=None, description="A file that holds them, instead.")
    key_concurrency: int | None = Field(
        default=None, ge=1, description="Requests that each key's holder may have in flight before a 429."
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="Origins whose pages may ask from a browser, with commas between them, or `*`."
    )
    metrics_port: int | None = Field(
        default=None, ge=1, le=65_535, description="Where `/metrics` is instead of on the server's own port."
    )
    metrics_host: str = Field(default="127.0.0.1", description="The address which that port is opened on.")
    limits: Limits = Limits()

    @field_validator("models", mode="before")
    @classmethod
    def _find_models(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        ids = [id.strip() for id in value.split(",") if id.strip()]
        if not ids:
            raise ValueError("names no model")
        return tuple(find_model(id) for id in dict.fromkeys(ids))

    @field_validator("api_keys", mode="before")
    @classmethod
    def _parse_keys(cls, value: Any) -> Any:
        return parse_keys(value) if isinstance(value, str) else value

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _parse_origins(cls, value: Any) -> Any:
        return parse_origins(value) if isinstance(value, str) else value

    @field_validator("limits")
    @classmethod
    def _refuse_limits_below_one(cls, value: Limits) -> Limits:
        if wrong := [name for name, limit in dataclasses.asdict(value).items() if limit < 1]:
            raise ValueError(f"not at least 1: {', '.join(wrong)}")
        return value

    @field_validator("runner_urls")
    @classmethod
    def _refuse_addresses_of_no_runner(cls, value: dict[str, str]) -> dict[str, str]:
        for id, url in value.items():
            find_model(id)
            Address.parse(url)
        return value

    @model_validator(mode="after")
    def _refuse_what_needs_services(self) -> Settings:
        if self.runners == "embedded" and (self.runner_urls or self.gateway_workers > 1):
            raise ValueError("EKIBEN_RUNNER_URLS and EKIBEN_GATEWAY_WORKERS are for EKIBEN_RUNNERS=services")
        return self

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_names(cls, values: Any) -> Any:
        if unknown := unknown_variables(os.environ):
            raise ValueError(f"no such settings: {', '.join(unknown)}")
        return values

    @model_validator(mode="before")
    @classmethod
    def _read_keys(cls, values: dict[str, Any]) -> dict[str, Any]:
        if (path := values.get("api_keys_file")) is None:
            return values
        if "api_keys" in values:
            raise ValueError("of EKIBEN_API_KEYS and EKIBEN_API_KEYS_FILE only one can be set")
        try:
            return {**values, "api_keys": Path(path).read_text("utf-8")}
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            raise ValueError(f"EKIBEN_API_KEYS_FILE cannot be read: {reason}") from None

    @model_validator(mode="after")
    def _refuse_concurrency_without_keys(self) -> Settings:
        if self.key_concurrency and not self.api_keys:
            raise ValueError("EKIBEN_KEY_CONCURRENCY is for servers with EKIBEN_API_KEYS")
        return self


def unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """Variables that look like settings and are none: a misspelt setting must not be ignored in silence."""
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    known |= {f"{PREFIX}LIMITS__{limit.name.upper()}" for limit in dataclasses.fields(Limits)}
    known.add("EKIBEN_URL")  # the command line's: where this server is, in the same shell
    return sorted({name.upper() for name in environment if name.upper().startswith(PREFIX)} - known)
