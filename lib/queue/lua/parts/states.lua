-- LIVES[state]: true where a job in this state (as in lib/jobs/state.py) lives: it waits or runs. false where the job
-- has ended: it stands in the index of its state until its record is forgotten. nil where no job has such a state.
local LIVES = {ready = true, delayed = true, active = true, completed = false, dead = false, cancelled = false}
