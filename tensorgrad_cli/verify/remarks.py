"""What is to be said of the derivatives that a check asks for: that one is zero, and which convention was used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from tensorgrad_cli.algebra.expression import Derivative
from tensorgrad_cli.verify.ground import Ground

__all__ = ["INDEPENDENT", "derivative_remarks"]

INDEPENDENT = "its entries vary independently in a derivative"
"""How the remark on the convention of a structured tensor ends: a report says it of each tensor once."""

_WORDS: Mapping[str, str] = {
    "symmetric": "is symmetric",
    "skew": "is skew-symmetric",
    "spd": "is symmetric positive definite",
    "diagonal": "is diagonal",
    "lower": "is lower triangular",
    "upper": "is upper triangular",
    "orthonormal": "has orthonormal columns",
}


def derivative_remarks(ground: Ground, derivatives: Iterable[Derivative]) -> tuple[str, ...]:
    """Sentences about some derivatives, each once."""
    asked = tuple(derivatives)
    return tuple(dict.fromkeys([*_conventions(ground, asked), *_zeros(ground, asked)]))


def _conventions(ground: Ground, derivatives: Iterable[Derivative]) -> Iterator[str]:
    for derivative in derivatives:
        for name in derivative.denominators:
            tensor = ground.spec.tensors.get(name)
            if tensor is not None and tensor.structure is not None and not tensor.free_entries:
                yield f"{ground.scope.spelling(name)} {_WORDS[tensor.structure]}; {INDEPENDENT}"


def _zeros(ground: Ground, derivatives: Iterable[Derivative]) -> Iterator[str]:
    for derivative in derivatives:
        top = derivative.numerator
        for name in derivative.denominators:
            if name == top or ground.depends(top, name, derivative.own):
                continue
            by = ground.scope.spelling(name)
            if top.startswith("‹"):
                yield f"what stands under the ∂ does not depend on {by}: its derivative is zero"
            elif top.startswith("∂"):
                yield f"the derivative under the ∂ does not depend on {by}: its derivative is zero"
            elif derivative.own:
                yield f"the equation of {ground.scope.spelling(top)} does not contain {by}: the derivative is zero"
            else:
                yield f"{ground.scope.spelling(top)} does not depend on {by}: its derivative is zero"
