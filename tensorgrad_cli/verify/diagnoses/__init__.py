"""The slips that people make, each with the claims that would be right without it."""
