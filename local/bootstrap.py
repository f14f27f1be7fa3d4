"""What `make` runs first, with whatever `python3` there is: packages, engine, and then `python -m local`.

Standard library only, and in syntax that an old Python can read: "too old" has to be a sentence, not a SyntaxError.
"""

# ruff: noqa: ANN001, ANN201, PLC0415, PTH100, PTH120

import os
import sys
import time

OLDEST = (3, 11)
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def refusal(version, executable):
    """The sentence for an interpreter that is too old, or None for one that will do."""
    if tuple(version[:2]) >= OLDEST:
        return None
    return (
        "Groundwork needs Python {}.{} or newer, and {} is {}.{}. Install one, or name one that you have: "
        "make PYTHON=/path/to/python3.11 ...".format(*OLDEST, executable, *version[:2])
    )


def main(arguments):
    started = time.time()
    problem = refusal(sys.version_info, sys.executable)
    if problem:
        sys.exit(problem)
    sys.path[0] = ROOT
    from local import setup

    sys.exit(setup.main(arguments, started))


if __name__ == "__main__":
    main(sys.argv[1:])
