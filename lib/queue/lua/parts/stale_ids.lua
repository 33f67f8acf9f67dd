-- `listed`: the lists in which an id stands and is not to be taken from, a letter each. The job was cancelled, put off
-- or given another priority while it waited; to search a list of a million for it would stop Redis, so claim drops it
-- when it comes to it. No list has an id twice, so a letter tells which of a job's places is meant. What a runner popped
-- from ready:normal and has not claimed stands in its own list, and counts as there still.
local LETTER = {['ready:high'] = 'h', ['ready:normal'] = 'n', ['ready:low'] = 'l', suspects = 's'}

-- home(priority, is_suspect): the list in which a ready job waits.
local function home(priority, is_suspect)
  local list = is_suspect and 'suspects' or 'ready:' .. (priority or 'normal')
  return LETTER[list] and list or 'ready:normal'
end

-- is_left(listed, list): is the id that stands in this list not to be taken?
local function is_left(listed, list) return listed and string.find(listed, LETTER[list], 1, true) ~= nil end

-- leave(job, list): from now on, it is not.
local function leave(job, list)
  redis.call('HSET', job, 'listed', (redis.call('HGET', job, 'listed') or '') .. LETTER[list])
end

-- strike(job, listed, list): it stands there no more, or is to be taken again.
local function strike(job, listed, list)
  local rest = string.gsub(listed, LETTER[list], '')
  if rest == '' then redis.call('HDEL', job, 'listed') else redis.call('HSET', job, 'listed', rest) end
end

-- put(id, job, list): the job waits in this list. Where its id stands there still, it has its old place again.
local function put(id, job, list)
  local listed = redis.call('HGET', job, 'listed')
  if is_left(listed, list) then strike(job, listed, list) else redis.call('LPUSH', base .. list, id) end
end
