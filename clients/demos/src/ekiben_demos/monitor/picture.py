"""The live picture of a server as HTML: figures, a curve, and a card for each model."""

from __future__ import annotations

import html

from ekiben_demos.monitor.history import CURVE_POINTS, History
from ekiben_demos.monitor.measurements import STAGES, Activity, ModelActivity

STAGE_WORDS = {"decode": "reading the input", "queue": "waiting", "infer": "the model", "post": "making the answer"}


def draw(history: History) -> str:
    activity = history.recent()
    legend = "".join(f'<li><i style="background: var(--{stage})"></i>{STAGE_WORDS[stage]}</li>' for stage in STAGES)
    models = "".join(map(_model, activity.models))
    return (
        f"<section class='monitor' aria-label='The server in the last ten seconds'>"
        f"<dl class='figures'>{_figures(history, activity)}</dl>{_curve(history.curve)}"
        f"<ul class='legend' aria-label='Colours of the bars'>{legend}</ul><ul class='models'>{models}</ul></section>"
    )


def _figures(history: History, activity: Activity) -> str:
    now = history.curve[-1] if history.curve else 0.0
    figures = {
        "requests per second, now": f"{now:.1f}",
        "requests in the last 10 s": f"{activity.requests:.0f}",
        "refused in the last 10 s": f"{activity.refused:.0f}",
        "models with a queue": str(sum(each.waiting > 0 for each in activity.models)),
    }
    return "".join(f"<div><dt>{name}</dt><dd>{figure}</dd></div>" for name, figure in figures.items())


def _curve(rates: tuple[float, ...]) -> str:
    """Requests a second; the newest is at the right."""
    highest = max((*rates, 1.0))
    first = CURVE_POINTS - len(rates)
    points = " ".join(f"{first + x},{40 - 38 * rate / highest:.2f}" for x, rate in enumerate(rates))
    area = f"{first},40 {points} {CURVE_POINTS - 1},40" if rates else ""
    return (
        "<figure><figcaption><span>Requests per second in the last minute</span>"
        f"<span>at most {highest:.1f}</span></figcaption>"
        f'<svg class="curve" viewBox="0 0 {CURVE_POINTS - 1} 40" preserveAspectRatio="none" role="img" '
        f'aria-label="Requests per second in the last minute, at most {highest:.1f}">'
        f'<polygon points="{area}" fill="#a3341f" fill-opacity=".15"/>'
        f'<polyline points="{points}" fill="none" stroke="#a3341f" stroke-width="2" '
        'vector-effect="non-scaling-stroke"/></svg></figure>'
    )


def _model(model: ModelActivity) -> str:
    name = html.escape(model.model)
    head = f"<h3>{name} <small>{html.escape(model.provider)}, {html.escape(model.precision)}</small></h3>"
    if not model.requests and model.items_per_run is None:
        return f"<li data-model='{name}' class='idle'>{head}<p>Nothing to do.</p></li>"
    items = "" if model.items_per_run is None else f", {model.items_per_run:.1f} items per run"
    waiting = f", {model.waiting:,.0f} of cost waiting" if model.waiting else ""
    done = f"{model.requests:.0f} request{'s' * (model.requests != 1)}"
    return f"<li data-model='{name}'>{head}<p>{done}{items}{waiting}</p>{_bar(model)}</li>"


def _bar(model: ModelActivity) -> str:
    """How a request's time divides; in words for those who do not see it."""
    if not model.total_ms:
        return ""
    parts = {stage: model.stage_ms.get(stage, 0.0) for stage in STAGES}
    words = ", ".join(f"{STAGE_WORDS[stage]} {_ms(ms)}" for stage, ms in parts.items())
    bars = "".join(
        f'<span style="flex: {ms:.3f}; background: var(--{stage})" title="{STAGE_WORDS[stage]}: {_ms(ms)}"></span>'
        for stage, ms in parts.items()
    )
    return (
        f"<div class='bar' role='img' aria-label='{words}'>{bars}</div>"
        f"<p><b>{_ms(model.total_ms)}</b> for a request: {words}</p>"
    )


def _ms(milliseconds: float) -> str:
    return f"{milliseconds / 1e3:.1f} s" if milliseconds >= 1_000 else f"{milliseconds:.1f} ms"
