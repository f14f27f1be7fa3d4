"""python -m tests.mutations: measures everything, writes figures.json and docs/policy-mutations.md."""

import sys

from tests.program import ROOT


def main() -> None:
    # The pack's modules import one another by their bare names, as the engine has them.
    sys.path.append(str(ROOT / "policies"))
    from tests.mutations import document, figures

    figures.keep(figures.measured())
    document.PATH.write_text(document.text(figures.kept()), encoding="utf-8")
    for path in (figures.PATH, document.PATH):
        print(f"wrote {path.name}")


if __name__ == "__main__":
    main()
