"""Load from a few users on addresses of a stack, and thresholds that it must keep: `groundwork perf`.

`users.py` is the only part that imports Locust, and runs in a process of its own: gevent changes the standard library
of the process that it is in.
"""
