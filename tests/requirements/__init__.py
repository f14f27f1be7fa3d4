"""What the products' own documents ask for, row by row, and how each row is met."""

import pytest

# Checks live beside their rows, in modules whose assertions pytest would not explain otherwise.
pytest.register_assert_rewrite(
    "tests.requirements.production",
    "tests.requirements.fixrx",
    "tests.requirements.nx_monorepo",
    "tests.requirements.rentalfix",
    "tests.requirements.sports_nutrition",
    "tests.requirements.ts_service",
)
