#!lua flags=no-writes
-- page.lua: the ids behind a place in an index, newest first.
-- KEYS 1 base
-- ARGV 1 index: all delayed completed dead cancelled  2 score and 3 id of the last one seen, or ''  4 most ids
-- RETURNS {id, score, id, score …}
-- WHY by rank: thousands of jobs may share one ms, and a rank finds the place among them at once. Where the last one
-- seen has been deleted meanwhile, its place is sought among those of its ms, 10,000 at the most.
local index, score, id, limit = base .. ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])

local from = 0
if id ~= '' then
  local rank = redis.call('ZREVRANK', index, id)
  if rank then
    from = rank + 1
  else
    from = redis.call('ZCOUNT', index, '(' .. score, '+inf')
    local same = redis.call('ZREVRANGEBYSCORE', index, score, score, 'LIMIT', 0, 10000)
    for _, other in ipairs(same) do
      if other < id then break end
      from = from + 1
    end
  end
end
return redis.call('ZREVRANGE', index, from, from + limit - 1, 'WITHSCORES')
