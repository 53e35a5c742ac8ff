"""Whether two runs were taken under the same settings of their machine."""

from __future__ import annotations

from eamdeploy.base.results import Run

# the names of `devices.runner.sensors.settings`, as users know them
_SETTINGS = {
    "governor": "frequency governor",
    "power_mode": "power mode",
    "clocks": "clocks",
    "fan": "fan",
    "power_supply": "power supply",
}


def different_settings(a: Run, b: Run) -> tuple[str, ...]:
    """The settings that differ, in words; only those that both runs know, of runs on one kind of device."""
    if a.device != b.device:
        return ()
    first, two = (dict(run.conditions.facts) for run in (a, b))
    for facts, run in ((first, a), (two, b)):
        if run.conditions.governor:
            facts.setdefault("governor", run.conditions.governor)
    return tuple(
        f"{words}: {first[name]} and {two[name]}"
        for name, words in _SETTINGS.items()
        if name in first and name in two and first[name] != two[name]
    )
