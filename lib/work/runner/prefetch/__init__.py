"""Prefetching: a runner claims jobs of under a millisecond ahead of a free slot. prefetch.py is the way in.

    prefetch.py   one queue: how many jobs to claim, and when prefetched jobs go back to Redis
    pace.py       how long the queue's jobs take here, and so how many may be prefetched
    turns.py      several queues: whose jobs begin in this turn of the loop

A queue whose jobs take longer prefetches nothing, and these files change nothing about it.
"""
