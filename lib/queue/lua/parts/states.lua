-- LIVES[state]: true where a job in this state (as in lib/jobs/state.py) lives: it waits or runs. false where the job
-- has ended: it stands in the index of its state until its record is forgotten. nil where no job has such a state.
-- A blocked job waits for other jobs, or for a call from outside. No script of this version blocks, frees or ends one.
local LIVES = {
  ready = true, delayed = true, blocked = true, active = true, completed = false, dead = false, cancelled = false,
}
