"""The two clients have the same methods with the same options."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from ekiben_client import AsyncClient, Client


def public(kind: type) -> dict[str, Any]:
    methods = inspect.getmembers(kind, inspect.isfunction)
    return {name.replace("aclose", "close"): method for name, method in methods if not name.startswith("_")}


@pytest.mark.parametrize("name", sorted(set(public(Client)) | set(public(AsyncClient))))
def test_a_method_has_a_twin_with_the_same_options(name: str) -> None:
    blocking, asynchronous = public(Client)[name], public(AsyncClient)[name]
    ours, theirs = (inspect.signature(method).parameters for method in (blocking, asynchronous))
    assert list(ours) == list(theirs)
    for option in ours:
        assert (ours[option].default, ours[option].kind) == (theirs[option].default, theirs[option].kind)
    assert blocking.__doc__
    assert asynchronous.__doc__


def test_every_task_can_be_asked_many_times() -> None:
    single = {"classify", "detect_objects", "detect_faces", "transfer_style", "recognize_speech", "translate"}
    for name in single:
        one, many = (inspect.signature(getattr(Client, each)).parameters for each in (name, f"{name}_many"))
        shared = set(one) - set(list(one)[:2])  # self and the input
        assert shared <= set(many)
        assert set(list(many)[2:]) - shared == {"in_flight", "progress"}
        assert all(one[option].default == many[option].default for option in shared)
