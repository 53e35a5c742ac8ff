"""One case: something planted, and whether the command then says that all is well."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from eamdeploy.base.errors import EamdeployError

Result = Literal["passed", "refused", "crashed"]


@dataclass(frozen=True)
class VerdictCase:
    """A fault, or a sound variation, of one command.

    Attributes:
        command: which command judges.
        name: what was planted.
        fault: whether it must be refused; a sound variation must pass.
        passes: runs the command; whether it says that all is well. An expected error of ours is a refusal.
    """

    command: str
    name: str
    fault: bool
    passes: Callable[[], bool]

    def run(self) -> tuple[Result, str]:
        """The result, and the first words of what was said."""
        try:
            return ("passed" if self.passes() else "refused"), ""
        except EamdeployError as error:
            return "refused", str(error)[:160]
        except Exception as error:  # an internal error is a finding of its own, not the end of the check
            return "crashed", f"{type(error).__name__}: {error}"[:160]

    def right(self, result: Result) -> bool:
        """Whether the command did what it has to."""
        return result == ("refused" if self.fault else "passed")
