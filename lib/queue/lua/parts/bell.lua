-- ring(): wake one idle runner. The runner that is woken claims from all lists, and rings again where it leaves jobs.
-- An idle runner blocks on ready:normal, and does not see what other lists get. In a queue that has a concurrency or a
-- rate of its own it blocks on `bells`: jobs that may not start yet wait in ready:normal there.
-- @use queue_settings
local bell_list  -- The list on which idle runners block; nil before this call has asked.

-- note_limits(concurrency, rate): the caller has read these two settings, so that `ring` need not read them.
local function note_limits(concurrency, rate) bell_list = (concurrency or rate) and 'bells' or 'ready:normal' end

local function blocks_on_bells()
  if not bell_list then note_limits(queue_settings('concurrency', 'rate')) end
  return bell_list == 'bells'
end

local function ring()
  blocks_on_bells()
  if redis.call('EXISTS', base .. bell_list) == 0 then redis.call('LPUSH', base .. bell_list, 'bell') end
end
