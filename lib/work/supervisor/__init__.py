"""The parent of one worker.py: it starts runners, beats for them, takes back what a dead one held, and does upkeep.

supervisor.py         the story: a runner for each quota, until a signal to stop
spawn_runner.py       starts a runner's process
runner_child.py       a runner as the supervisor knows it; slot_grant.py: how many job slots it may be using
roster.py             the runners that live
quota.py              the job slots that one serving runner and its retiring predecessors share
replacements.py       worn runners are replaced; wear.py: which are worn
shutdown.py           whether and why the supervisor is to end
supervisor_tasks.py   the supervisor's own asyncio tasks
beats.py              beats for the runners
exit_collector.py     a runner has ended: its jobs are taken back
rounds.py             what is done once a second:
  upkeep.py             every queue's periodic work; rota.py: which queues are due; lease_watch.py: whose lease ran out
  clock.py              fires schedules, at the moment when upkeep says that a slot is due
  stuck.py              own runners that live and do nothing; overdue.py: which of their jobs are out of time
isolation_runners.py  runners for suspects: isolation.py decides what runs where, stand_by.py how many are kept
"""
