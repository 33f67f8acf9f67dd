"""What is done to jobs and queues in Redis.

keys.py         the names of all keys; scripts.py calls the Lua in lua/, one transition of a job's life a file
framing.py      how Python and Lua write many values into one string: enqueue_text, claim_reply, end_record, job_record
job_store.py    jobs by id, for the API; enqueuer.py takes new ones in, listing.py pages through them
lease.py        one runner in one queue: claims, and ends of attempts; notes.py is what a handler noted meanwhile
committer.py    group commit, for new jobs and for ends
queue_store.py  queues by name: counts, settings, removal; with runners.py, upkeep_steps.py and health_warnings.py
census.py       a queue in numbers; queue_trouble.py what is wrong with it; recent_census.py the numbers of all queues
event_stream.py transitions as they happen, for /api/events; end_waiters.py wakes requests that wait for a job's end
census_board.py the queues as they change, for digests
crews.py        who serves a queue with what they run, and who went within a day; runners.py beats and reaps
epochs.py       notices that Redis was emptied
meters.py       totals and timings, for /metrics; caller_rates.py counts requests against RATE_LIMIT
bulkheads.py    a fault in one queue stays there; unreadable.py does the same for listings of many queues
"""
