-- remember(job, outcome, error_text, finished_ms, due_ms): add a line about the attempt that ended to the job's
-- `history`, of which the last 20 stay. outcome: 'retried', 'snoozed', 'released', 'crashed', or the state of a job
-- that is retried by hand. finished_ms: nil for now. due_ms: when the next attempt is due; nil for one that need not
-- wait. A line is 'attempt \29 started ms \29 finished ms \29 runner \29 outcome \29 error (JSON) \29 due ms or nothing
-- \29 token \29 ms since which the job was ready, nothing where that is since it was created \28', without the spaces.
-- Versions before 0.3.0 pass over the last three.
-- @use clock
local function remember(job, outcome, error_text, finished_ms, due_ms)
  local history, attempt, started, runner, claims, since =
    unpack(redis.call('HMGET', job, 'history', 'attempts', 'started', 'worker', 'claims', 'since'))
  local due = due_ms and digits(due_ms) or ''
  local fields = {
    attempt or '', started or '', finished_ms or now, runner or '', outcome, error_text or '', due, claims or '',
    since or '',
  }
  history = (history or '') .. table.concat(fields, '\29') .. '\28'
  local _, lines = string.gsub(history, '\28', '')
  if lines > 20 then history = string.sub(history, string.find(history, '\28', 1, true) + 1) end
  redis.call('HSET', job, 'history', history)
end
