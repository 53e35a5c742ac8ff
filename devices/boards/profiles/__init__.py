"""What is known about the boards: hardware facts as data files, each with its sources."""

from devices.boards.profiles.catalog import load_profile, profile_names, profiles
from devices.boards.profiles.profile import Cpu, Emulation, Profile

__all__ = ["Cpu", "Emulation", "Profile", "load_profile", "profile_names", "profiles"]
