"""The tiny image tree that training's tests learn serves here too."""

from tests.eamdeploy.training.conftest import tree

__all__ = ["tree"]
