"""An einsum-based derivation verifier: index-notation derivatives, proved and checked."""

__version__ = "0.1.0"
