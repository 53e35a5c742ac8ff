"""Do the verdicts hold? Faults are planted over the commands that judge, and none may pass; sound changes may not be refused.

    python -m benchmarks.verdicts [--quick] [--out results.json]

Each case runs a judging function of the library in this process: ``gate`` and ``compare`` on made-up runs in a store,
``verify``, ``evaluate`` and ``quantize`` on small classifiers that were fitted to the embedded images, ``verify`` and
``export`` on the shipped dynamic network. ``--quick`` leaves the shipped network out (it needs PyTorch and minutes).
The exit code is 1 when a fault passes, a sound variation is refused, or anything ends in an internal error.
"""
