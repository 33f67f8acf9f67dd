"""What is done to jobs and queues in Redis. keys.py names every key; lua/ holds one transition of a job's life a
file."""
