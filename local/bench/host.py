"""The Python language plugin with a profiler around the program, for `make bench`."""

import cProfile
import os
from typing import Any

from local import language_plugin

PROFILE_VARIABLE = "GROUNDWORK_PROFILE"


class Profiled(language_plugin.Python):
    def Run(self, request: Any, context: Any) -> Any:
        profile = cProfile.Profile()
        try:
            return profile.runcall(super().Run, request, context)
        finally:
            profile.dump_stats(os.environ[PROFILE_VARIABLE])


if __name__ == "__main__":
    setattr(language_plugin, "Python", Profiled)  # noqa: B010 `main` starts the class of that name
    language_plugin.main()
