"""What an expression is: nodes, elaboration, rewriting, and the tables of functions and operations."""
