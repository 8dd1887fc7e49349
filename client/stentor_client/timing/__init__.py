"""When to do things: schedules, timers and back-off."""
