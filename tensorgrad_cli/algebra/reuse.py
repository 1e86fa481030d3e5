"""Reuse."""

from tensorgrad_cli.algebra.expression import Chain, Expression

__all__ = ["reuse_steps"]


def reuse_steps(expression: Expression, equations: Chain) -> Expression:
    """."""
    return expression
