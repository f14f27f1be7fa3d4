"""python -m operations.policy [--check]"""

import argparse
import sys

from operations.__main__ import app
from operations.policy import catalogue, document
from operations.policy.commands import ROOT


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m operations.policy", description="Write docs/policies.md."
    )
    parser.add_argument(
        "--check", action="store_true", help="write nothing; fail when the page is not current"
    )
    check = parser.parse_args().check
    try:
        rules = catalogue.load(ROOT)
    except catalogue.Unavailable as problem:
        print(problem, file=sys.stderr)
        return 1
    text = document.text(rules, document.commands_of(app))
    if document.PATH.is_file() and document.PATH.read_text("utf-8") == text:
        return 0
    if check:
        print(f"{document.PATH.name} is not current: run python -m operations.policy")
        return 1
    document.PATH.write_text(text, "utf-8")
    print(f"wrote {document.PATH.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
