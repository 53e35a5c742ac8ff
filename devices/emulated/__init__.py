"""A whole aarch64 board for everyone who owns none: built and booted as an ordinary user, reached over SSH."""

from devices.emulated.image import Image, build_image
from devices.emulated.machine import Machine, MachineOptions
from devices.emulated.transport import EmulatedTransport

__all__ = ["EmulatedTransport", "Image", "Machine", "MachineOptions", "build_image"]
