"""Waybill's own processes: how a parent spawns a child, talks with it and replaces it; event loop, signals, exit.

In the parent (the server's parent, the worker's supervisor):
spawn.py          starts a child process with a pipe; needs no asyncio
child_process.py  a spawned child as the loop has it: wait, kill, what its exit code means
restarts.py       when the next child is started
silence.py        for how long a child has sent nothing
server_parent.py  the parent of several server processes

On both sides, and in every process:
pipe.py           the messages between parent and child
slot.py           a server process alone, or as one child of several
signals.py        what a signal means to a process
guard.py          keeps signal handlers and descriptors while job modules are imported
loops.py          the event loop
exits.py          the end of a process, with its exit hooks
"""
