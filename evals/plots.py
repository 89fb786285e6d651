"""Small pictures of figures as SVG: they take their colours from the page, dark or light."""

from collections.abc import Iterable
from typing import Final

from evals.estimates import Estimate

WIDTH: Final = 220
HEIGHT: Final = 34
_MARGIN: Final = 8
_PRODUCT_Y: Final = 11
_NAIVE_Y: Final = 23


def plot_figure(
    product: Estimate, *, naive: Estimate | None, baseline: float | None, bound: float | None
) -> str:
    """Return an SVG of the product's figure over the naive one's, each with its interval.

    A thin line stands where the baseline is, a dashed one where the limit is. Shares are drawn
    from 0 to 1, anything else from 0 to the largest.
    """
    marks = [product.high, product.mean, *_present(baseline, bound)]
    if naive is not None:
        marks += [naive.high, naive.mean]
    top = 1.0 if max(marks) <= 1.0 else max(marks) * 1.05

    def x(value: float) -> float:
        share = min(max(value / top, 0.0), 1.0)
        return round(_MARGIN + share * (WIDTH - 2 * _MARGIN), 1)

    parts = [_line(_MARGIN, WIDTH - _MARGIN, HEIGHT - 3, "axis")]
    parts += [_tick(x(top * part), HEIGHT - 5, HEIGHT - 1, "axis") for part in (0, 0.5, 1)]
    if bound is not None:
        parts.append(_tick(x(bound), 2, HEIGHT - 3, "bound"))
    if baseline is not None:
        parts.append(_tick(x(baseline), 3, HEIGHT - 3, "baseline"))
    if naive is not None:
        parts.append(_line(x(naive.low), x(naive.high), _NAIVE_Y, "naive"))
        parts.append(f'<circle class="naive" cx="{x(naive.mean)}" cy="{_NAIVE_Y}" r="3.5"/>')
    parts.append(_line(x(product.low), x(product.high), _PRODUCT_Y, "product"))
    parts.append(f'<circle class="product" cx="{x(product.mean)}" cy="{_PRODUCT_Y}" r="4.5"/>')
    label = f"product {product.mean:.3f}, from {product.low:.3f} to {product.high:.3f}"
    if naive is not None:
        label += f"; naive {naive.mean:.3f}, from {naive.low:.3f} to {naive.high:.3f}"
    return (
        f'<svg class="plot" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">'
        f"{''.join(parts)}</svg>"
    )


def plot_share(passed: int, count: int) -> str:
    """Return an SVG bar of how many of `count` cases pass."""
    share = passed / count if count else 0.0
    return (
        f'<svg class="bar" viewBox="0 0 100 6" preserveAspectRatio="none" role="img" '
        f'aria-label="{passed} of {count} cases pass">'
        f'<rect class="rest" width="100" height="6"/>'
        f'<rect class="passed" width="{share * 100:.2f}" height="6"/></svg>'
    )


def _line(start: float, end: float, y: int, kind: str) -> str:
    return f'<line class="{kind}" x1="{start}" x2="{end}" y1="{y}" y2="{y}"/>'


def _tick(x: float, top: int, bottom: int, kind: str) -> str:
    return f'<line class="{kind}" x1="{x}" x2="{x}" y1="{top}" y2="{bottom}"/>'


def _present(*values: float | None) -> Iterable[float]:
    return (value for value in values if value is not None)
