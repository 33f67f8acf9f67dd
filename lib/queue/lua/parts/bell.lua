-- ring(): wake one idle runner. The runner that is woken claims from all lists, and rings again where it leaves jobs.
-- An idle runner blocks on ready:normal, and does not see what other lists get. In a queue that has a concurrency or a
-- rate of its own it blocks on `bells`: jobs that may not start yet wait in ready:normal there.
-- blocks_on_bells(is_limited): does it? is_limited: whether the queue has such a limit, of a caller that knows.
-- @use queue_settings
local bell_list  -- The list on which idle runners block; nil before this call has asked.
local function blocks_on_bells(is_limited)
  if is_limited == nil and not bell_list then
    local concurrency, rate = queue_settings('concurrency', 'rate')
    is_limited = (concurrency or rate) and true or false
  end
  if is_limited ~= nil then bell_list = is_limited and 'bells' or 'ready:normal' end
  return bell_list == 'bells'
end

local function ring()
  blocks_on_bells()
  if redis.call('EXISTS', base .. bell_list) == 0 then redis.call('LPUSH', base .. bell_list, 'bell') end
end
