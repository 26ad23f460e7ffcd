"""Running cells: the launchers that start methods, the limits they keep, and the engine that schedules cells."""
