"""python -m tests.requirements [--check]"""

import argparse
import sys

from tests.requirements import document


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.requirements", description="Write docs/requirements.md."
    )
    parser.add_argument(
        "--check", action="store_true", help="write nothing; fail when the page is not current"
    )
    check = parser.parse_args().check
    text = document.text()
    if document.PATH.is_file() and document.PATH.read_text("utf-8") == text:
        return 0
    if check:
        print(f"{document.PATH.name} is not current: run python -m tests.requirements")
        return 1
    document.PATH.write_text(text, "utf-8")
    print(f"wrote {document.PATH.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
