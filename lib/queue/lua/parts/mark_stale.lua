-- mark_stale(job, stale_in, list): the id that stands in `list` is stale from now on. Returns the new stale_in.
-- @use stale_ids
local function mark_stale(job, stale_in, list)
  local letters = (stale_in or '') .. letter_of(list)
  redis.call('HSET', job, 'listed', letters)
  count_stale(list, 1)
  return letters
end
