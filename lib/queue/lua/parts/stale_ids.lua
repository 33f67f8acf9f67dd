-- A stale id stands in a list, and its job is not to be taken from there: the job was cancelled, delayed or given
-- another priority while it waited. To remove the id would search a list that may hold a million, and stop Redis
-- meanwhile. So the id stays, and claim drops the id on reaching it.
-- The job's field `listed` names the lists in which its id is stale, a letter each: 'n' is ready:normal, 'nh' is
-- ready:normal and ready:high. No list holds an id twice: a letter means one place. An id that a runner has
-- popped from ready:normal and not claimed yet is in the runner's active list, and counts as in ready:normal still.
-- stale_in, here and in the scripts: the value of `listed`, or false where the job has no stale id.
local LETTERS = {['ready:high'] = 'h', ['ready:normal'] = 'n', ['ready:low'] = 'l', suspects = 's'}

-- is_stale_in(stale_in, list): is the id that stands in `list` stale?
local function is_stale_in(stale_in, list) return stale_in and string.find(stale_in, LETTERS[list], 1, true) ~= nil end

-- unmark_stale(job, stale_in, list): the id stands in `list` no more, or is to be taken from there again.
local function unmark_stale(job, stale_in, list)
  local rest = string.gsub(stale_in, LETTERS[list], '')
  if rest == '' then redis.call('HDEL', job, 'listed') else redis.call('HSET', job, 'listed', rest) end
end
