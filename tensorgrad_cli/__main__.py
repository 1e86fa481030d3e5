"""`python -m tensorgrad_cli`."""

from tensorgrad_cli.cli import main

if __name__ == "__main__":
    main()
