"""The finite model of the reals, in which an identity is decided exactly."""
