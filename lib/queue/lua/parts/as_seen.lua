-- is_as_seen(seen, state, finished): is a job still as the caller of the script read it?
-- seen: its state, and behind a space the ms at which it ended, as 'dead 1795952197335' or 'ready '; '' where the
-- caller takes the job as it is. state, finished: the job's fields now; finished is nil or false where it lives.
-- WHY the time too: a job that was run again in between, and has died again, is dead as before, and another one.
local function is_as_seen(seen, state, finished)
  return seen == '' or seen == state .. ' ' .. (string.match(finished or '', '^%d+$') or '')
end
