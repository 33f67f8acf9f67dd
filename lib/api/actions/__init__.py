"""Changes of many jobs in one request: POST /api/queues/{queue}/redrive, …/purge, and POST /api/jobs/actions.

operations.py has the three operations, and asked.py checks their bodies. plan.py says which jobs one call takes and
where the next call goes on; sweep.py walks over the jobs of a queue that fit, some 100 at a time; work.py changes a
batch of jobs, with a log line for each; answers.py writes what is answered.
"""
