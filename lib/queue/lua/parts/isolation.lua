-- is_isolation_runner(runner): isolation runners have ids that end in .alone (lib/ids.py). An isolation runner
-- runs suspects, one at a time: a crash is the doing of the one job that was aboard.
local function is_isolation_runner(runner) return string.sub(runner, -6) == '.alone' end
