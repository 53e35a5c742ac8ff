"""What a budget of accuracy buys: static twin, exact export, and budgets, side by side.

    python -m benchmarks.frontier --data fashion-mnist=/usr/share/datasets/fashion-mnist --out out/frontier

runs every shipped checkpoint whose data is given (``--data`` matches the start of its name), writes ``results.json``,
``results.md`` and ``frontier.svg``, and keeps the artifacts. ``--checkpoint`` adds any other.
"""
