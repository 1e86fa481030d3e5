"""A spec to verdicts: checks, decisions, diagnoses."""
