"""A whole aarch64 board for everyone who owns none: built and booted as an ordinary user, reached over SSH."""

from devices.transports.emulated.image.build import Image, build_image
from devices.transports.emulated.machine import Machine, MachineOptions
from devices.transports.emulated.transport import EmulatedTransport

__all__ = ["EmulatedTransport", "Image", "Machine", "MachineOptions", "build_image"]
