-- Every state that a job may have (as in lib/jobs/state.py) -> whether a job in that state still lives: it waits or runs.
-- A job that does not live has ended: it stands in the index of its state until its record is forgotten.
local LIVES = {ready = true, delayed = true, active = true, completed = false, dead = false, cancelled = false}

-- state: a job's field; false or nil where there is no job, or its record is broken: that neither lives nor has ended.
local function lives(state) return LIVES[state] == true end
local function has_ended(state) return LIVES[state] == false end
