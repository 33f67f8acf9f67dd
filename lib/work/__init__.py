"""Everything that happens to a job after the 202.

    supervisor/   the parent of one worker.py: starts runners, beats for them, and does the upkeep of queues
    runner/       a process of it, in which handlers run

The two sides do not import each other: they speak over a pipe.
"""
