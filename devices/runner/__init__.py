"""What runs on the board: one file to push, Python 3.9 or later, numpy and one runtime, nothing else.

`devices.runner.bundle` packs these modules and ``runtimes`` into one zip that Python runs. There, a **supervisor**
talks to the host in JSON lines and starts a fresh **worker** for every measurement; it removes its folder and ends its
workers when the host closes the link, falls silent, or asks for it. The worker loads, runs and times.
"""
