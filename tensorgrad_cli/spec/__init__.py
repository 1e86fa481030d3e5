"""YAML to a typed spec."""
