"""The number of usable processors, and the option for the number of workers."""

import os
import re
from typing import Any

import click


class Workers(click.ParamType[int]):
    """A number of worker processes, or `auto`: one for each processor that this process may use."""

    name = "auto|number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Parse, or fail with the expected form."""
        if isinstance(value, int):
            return value
        if value == "auto":
            return usable_processors()
        if not re.fullmatch(r"[1-9][0-9]{0,2}", value):
            self.fail(f"{value!r} is neither auto nor a number from 1 to 999", param, ctx)
        return int(value)


def usable_processors() -> int:
    """Return how many processors the affinity of this process and the limit of its container allow, at least 1."""
    return max(1, min(len(os.sched_getaffinity(0)), int(_cgroup_processors())))


def _cgroup_processors() -> float:
    """Return the processor limit of this container, which can be a fraction; 9999 if there is none."""
    try:  # cgroup v2
        with open("/sys/fs/cgroup/cpu.max", encoding="ascii") as limit:
            quota, period = limit.read().split()
    except FileNotFoundError:
        try:  # cgroup v1
            with (
                open("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", encoding="ascii") as quotas,
                open("/sys/fs/cgroup/cpu/cpu.cfs_period_us", encoding="ascii") as periods,
            ):
                quota, period = quotas.read().strip(), periods.read().strip()
        except FileNotFoundError:
            return 9999
    return 9999 if quota in {"max", "-1"} else int(quota) / int(period)
