"""Schedules, timers and back-off."""
