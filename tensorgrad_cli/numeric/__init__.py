"""Numbers: samples, einsum plans, evaluation, finite differences with error bars, comparison."""
