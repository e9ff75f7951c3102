"""Live objects: functions, graphs and modules, used as they are or copied into a graph."""
