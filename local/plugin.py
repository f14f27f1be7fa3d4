"""What the engine starts as a plugin: runs the module named first, and ends when the engine has ended.

An engine that is killed leaves its plugins behind, and one of them may still be creating something.
"""

import os
import runpy
import sys
import threading
import time
from pathlib import Path

INTERVAL_S = 0.5


def end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(INTERVAL_S)
    os._exit(1)


if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parent.parent)
    del sys.argv[0]
    threading.Thread(target=end_with, args=(os.getppid(),), daemon=True).start()
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
