"""Looks at a board before anything is pushed to it, and says what will go wrong and what to do about it."""

from devices.doctor.examine import CHECKS, Examination, examine
from devices.doctor.facts import BoardFacts, read_facts
from devices.doctor.finding import Diagnosis

__all__ = ["CHECKS", "BoardFacts", "Diagnosis", "Examination", "examine", "read_facts"]
