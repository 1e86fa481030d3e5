"""A report in a format: one module per format, named as the format."""
