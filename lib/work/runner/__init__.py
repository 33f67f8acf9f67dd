"""A runner: the process in which handlers run. It claims jobs, runs them, and sends Redis a record of how each ended.

A job's way through these files, for each queue of the runner:

    consumer.py        claims jobs for the free slots (registration, strays, promotion_timer, redis_contact: its parts)
    lanes.py           begins them: a lane (lane_pool.py) reads a job and calls its handler
    attempt.py         the handler's call, and every way in which it can end; context.py is the `ctx` it is given
    active_jobs.py     its end is logged, and sent to Redis; until Redis has it, the job stays here
    stops.py           a timeout, a cancel or the runner's exit ends a handler early
    prefetch/          jobs of under a millisecond are claimed ahead of a slot

The process around them: runner_process.py (first line to last), runner.py (drain, retire, leave), assembly.py (makes
the parts), every_second.py, slot_report.py and suspects.py (what the supervisor asks for), watchdog.py, warnings.py,
resources.py, timings.py, forks.py, job_programs.py, runner_exit.py.
"""
