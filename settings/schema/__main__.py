"""python -m settings.schema [--check]"""

import argparse
import sys

from settings import schema


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m settings.schema", description="Write the JSON Schemas.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a file is not current")
    check = parser.parse_args().check
    documents = schema.documents()
    stale = [
        path for path, text in documents.items() if not path.is_file() or path.read_text("utf-8") != text
    ]
    for path in stale:
        print(f"{path.name} is not current: run python -m settings.schema" if check else f"wrote {path.name}")
        if not check:
            path.write_text(documents[path], "utf-8")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
