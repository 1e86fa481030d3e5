"""The derivative of an expression and of a chain."""
