"""The parent of one worker.py: starts runners, beats for them, takes back what a dead one held, does the upkeep of
queues."""
