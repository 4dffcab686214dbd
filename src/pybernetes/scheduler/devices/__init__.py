"""Devices of ResourceSlices, and which of them to give to claims; no word of pods."""
