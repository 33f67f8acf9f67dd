"""Processes of ours: how a child is spawned, listened to and started again; event loop, signals, exit."""
