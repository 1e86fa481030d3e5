"""An equation in a notation: one module per format, named as the format."""
