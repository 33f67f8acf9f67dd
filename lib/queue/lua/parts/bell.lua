-- ring(): wake one idle runner. The runner that is woken claims from all lists, and rings again where it leaves jobs.
-- An idle runner blocks on ready:normal, and does not see what other lists get. In a queue that has a concurrency or a
-- rate of its own it blocks on `bells`: jobs that may not start yet wait in ready:normal there.
-- blocks_on_bells(): does it? note_limits(concurrency, rate): a script that has read these settings of the queue says
-- what they are, false where one is not set, so that they are not read again.
-- @use queue_settings
local bell_list  -- The list on which idle runners block; nil before this call of a script knows.
local function note_limits(concurrency, rate) bell_list = (concurrency or rate) and 'bells' or 'ready:normal' end

local function blocks_on_bells()
  if not bell_list then note_limits(queue_settings('concurrency', 'rate')) end
  return bell_list == 'bells'
end

local function ring()
  blocks_on_bells()
  if redis.call('EXISTS', base .. bell_list) == 0 then redis.call('LPUSH', base .. bell_list, 'bell') end
end
