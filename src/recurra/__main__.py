"""``python -m recurra``: the command line where the program itself is not on the path."""

from recurra.cli import main

if __name__ == "__main__":
    main()
