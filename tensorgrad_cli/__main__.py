"""The entry point, `tensorgrad` or `python -m tensorgrad_cli`: what takes long to import is begun at once."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING

from tensorgrad_cli.terminal import leave, opened, roomy, single_threaded

if TYPE_CHECKING:
    from tensorgrad_cli.verify.checking_apart import Checker


def main() -> None:
    """Like click's own, but with room to recurse, and an interrupt exits with 130. For `check` another process imports
    NumPy meanwhile."""
    opened()
    single_threaded()
    apart = None
    if sys.argv[1:2] == ["check"]:
        from tensorgrad_cli.verify.checking_apart import checker

        apart = checker()
    leave(roomy(partial(_run, apart)))


def _run(apart: Checker | None) -> int:
    from tensorgrad_cli.cli import run

    return run(apart)


if __name__ == "__main__":
    main()
