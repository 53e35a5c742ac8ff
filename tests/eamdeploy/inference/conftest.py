"""The artifacts that parity's tests export serve here too."""

from tests.eamdeploy.parity.conftest import made

__all__ = ["made"]
