-- remember(job, outcome, error, finished): a line of history about the attempt that ended (now, or at `finished`); 20 stay.
-- @use clock
local function remember(job, outcome, error_text, finished_ms)
  local f = redis.call('HMGET', job, 'history', 'attempts', 'started', 'worker')
  local line = table.concat({f[2] or '', f[3] or '', finished_ms or now, f[4] or '', outcome, error_text or ''}, '\29') .. '\28'
  local history = (f[1] or '') .. line
  local _, lines = string.gsub(history, '\28', '')
  if lines > 20 then history = string.sub(history, string.find(history, '\28', 1, true) + 1) end
  redis.call('HSET', job, 'history', history)
end
