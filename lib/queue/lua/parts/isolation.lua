-- is_isolation_runner(runner): isolation runners have ids that end in .alone (lib/ids.py). Each one runs suspects,
-- one at a time, so that a crash is the doing of the one job that was aboard.
local function is_isolation_runner(runner) return string.sub(runner, -6) == '.alone' end
