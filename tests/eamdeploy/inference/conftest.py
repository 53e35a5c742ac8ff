"""The artifacts that parity's tests export serve here too."""

from tests.eamdeploy.parity.conftest import artifact_of

__all__ = ["artifact_of"]
