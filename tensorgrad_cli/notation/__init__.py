"""Text to tree: names, the syntax tree and the parser."""
