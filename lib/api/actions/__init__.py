"""Changes of many jobs in one request: POST /api/queues/{queue}/redrive, …/purge, and /api/jobs/actions.

operations.py    the three operations
asked.py         their bodies, checked
sweep.py         the walk over the jobs of a queue that fit, some 100 at a time
work.py          how each change is made to a batch of jobs, and told of in the log
answers.py       what is answered
"""
