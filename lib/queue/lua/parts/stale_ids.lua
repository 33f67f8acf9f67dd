-- A stale id stands in a list, and its job is not to be taken from there: the job was cancelled, delayed or given
-- another priority while it waited. To remove the id would search a list that may hold a million, and stop Redis
-- meanwhile. So the id stays, and claim drops the id on reaching it.
-- The job's field `listed` names the lists in which its id is stale, a letter each: 'n' is ready:normal, 'nh' is
-- ready:normal and ready:high, 'N' is the line of the job's group in priority normal. No list holds an id twice: a
-- letter means one place. An id that a runner has popped from ready:normal and not claimed yet is in the runner's
-- active list, and counts as in ready:normal still.
-- stale_in, here and in the scripts: the value of `listed`, or false where the job has no stale id.

-- letter_of(list): 'h' of ready:high, 'N' of line:normal:tenant-42, 's' of suspects.
-- WHY no table: enqueue.lua, which may need this, is called for every job.
local function letter_of(list)
  if list == 'suspects' then return 's' end
  local kind, letter = string.match(list, '^(%a+):(%a)')
  return kind == 'line' and string.upper(letter) or letter
end

-- is_stale_in(stale_in, list): is the id that stands in `list` stale?
local function is_stale_in(stale_in, list)
  return stale_in and string.find(stale_in, letter_of(list), 1, true) ~= nil
end

-- count_stale(list, by): one stale id more, or less, stands in the line `list`: how many jobs of a group wait is the
-- length of its lines less these. Of other lists nobody asks that.
-- WHY pcall: where somebody broke the hash, the count is wrong and the job is where it must be.
local function count_stale(list, by)
  if string.sub(list, 1, 5) ~= 'line:' then return end
  local count = redis.pcall('HINCRBY', base .. 'stale', list, by)
  if type(count) == 'number' and count <= 0 then redis.call('HDEL', base .. 'stale', list) end
end

-- unmark_stale(job, stale_in, list): the id stands in `list` no more, or is to be taken from there again.
local function unmark_stale(job, stale_in, list)
  local rest, found = string.gsub(stale_in, letter_of(list), '')
  if found > 0 then count_stale(list, -1) end
  if rest == '' then redis.call('HDEL', job, 'listed') else redis.call('HSET', job, 'listed', rest) end
end
