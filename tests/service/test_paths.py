"""Where routes are is what the layers around them take it to be."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi.routing import APIRoute

from services.app import Application
from services.engine import Engine
from services.routes import paths
from services.settings import Settings


@pytest.fixture
def routes() -> Iterator[list[APIRoute]]:
    engine = Engine(Settings(device="cpu"))
    yield [each for each in Application(engine).fastapi.routes if isinstance(each, APIRoute)]
    engine.pool.close()


def of(tag: str, routes: list[APIRoute]) -> list[APIRoute]:
    return [each for each in routes if tag in each.tags]


def test_every_path_of_libretranslate_is_known_to_its_errors_and_its_keys(routes: list[APIRoute]) -> None:
    dialect = of("LibreTranslate", routes)
    assert {each.path for each in dialect} == paths.LIBRETRANSLATE
    assert {each.path for each in dialect if each.methods == {"POST"}} == paths.KEY_IN_BODY


@pytest.mark.parametrize(
    ("tag", "root"), [("OpenAI", paths.OPENAI_AUDIO), ("Open Inference Protocol", paths.OPEN_INFERENCE)]
)
def test_a_dialects_routes_are_below_its_root(tag: str, root: str, routes: list[APIRoute]) -> None:
    dialect = of(tag, routes)
    assert dialect and all(each.path.startswith(root) for each in dialect)
    assert not any(each.path.startswith(root) for each in routes if each not in dialect)
