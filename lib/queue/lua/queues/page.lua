#!lua flags=no-writes
-- page.lua: jobs of an index that fit, newest first, from behind a job on.
-- KEYS 1 base
-- ARGV 1 index: all | delayed | blocked | completed | dead | cancelled  2 score and 3 id of the last job seen, or ''
--      and ''  4 most jobs to return  5 most jobs to look at  6 most bytes of specs to look at  7 state, or '' for any
--      8… texts that must stand in the spec's first KB, as '"type":"email"'
-- RETURNS {id and score of the last job looked at where there are more behind it, or '' and '', then id, score, id,
--      score …}
-- WHY by rank: thousands of jobs may have the same ms for a score, and a rank finds a place among them at once. Where
-- the last job seen was deleted since, or has moved, its place is searched among the jobs of its ms, 10,000 at the
-- most.
local index, score, id, limit = base .. ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local most_seen, most_bytes, state = tonumber(ARGV[5]), tonumber(ARGV[6]), ARGV[7]
local HEAD_BYTES, MOST_ACTIVE, MOST_OF_ONE_MS = 1024, 2000, 10000

-- The fields that are read of each job: the spec first, the state last.
local needed = {}
if #ARGV > 7 then needed[1] = 'spec' end
if state ~= '' then needed[#needed + 1] = 'state' end

-- bytes: of the specs that were looked at.
local bytes = 0
local function fits(job_id)
  if #needed == 0 then return true end
  local f = redis.pcall('HMGET', base .. 'job:' .. job_id, unpack(needed))
  local first, last = f[1], f[#needed]
  if not first or (state ~= '' and last ~= state) then return false end
  bytes = bytes + #first
  local head = #first > HEAD_BYTES and string.sub(first, 1, HEAD_BYTES) or first
  for i = 8, #ARGV do
    if not string.find(head, ARGV[i], 1, true) then return false end
  end
  return true
end

-- The next jobs of the index: id, score, id, score …
local function from_index()
  local from = 0
  if id ~= '' then
    local rank = redis.call('ZREVRANK', index, id)
    if rank and tonumber(redis.call('ZSCORE', index, id)) == tonumber(score) then
      from = rank + 1
    else
      from = redis.call('ZCOUNT', index, '(' .. score, '+inf')
      local same = redis.call('ZREVRANGEBYSCORE', index, score, score, 'LIMIT', 0, MOST_OF_ONE_MS)
      for _, other in ipairs(same) do
        if other < id then break end
        from = from + 1
      end
    end
  end
  return redis.call('ZREVRANGE', index, from, from + most_seen, 'WITHSCORES')
end

-- The same from the runners' active lists; nil where these hold too many ids.
-- WHY not from the index: of a million jobs the active ones are few, and as a rule the oldest.
local function from_active_lists()
  local held, count, after = {}, 0, tonumber(score)
  for _, runner in ipairs(redis.call('HKEYS', base .. 'workers')) do
    local others = redis.call('LRANGE', base .. 'active:' .. runner, 0, MOST_ACTIVE)
    count = count + #others
    if count > MOST_ACTIVE then return nil end
    for _, other in ipairs(others) do
      local created = tonumber(redis.call('ZSCORE', index, other))
      if created and (id == '' or created < after or (created == after and other < id)) then
        held[#held + 1] = {created, other}
      end
    end
  end
  table.sort(held, function(a, b) return a[1] > b[1] or (a[1] == b[1] and a[2] > b[2]) end)
  local found = {}
  for _, place in ipairs(held) do
    found[#found + 1] = place[2]
    found[#found + 1] = string.format('%.0f', place[1])
  end
  return found
end

local found = state == 'active' and from_active_lists() or from_index()
local reply = {'', ''}
for i = 1, #found, 2 do
  if #reply == 2 + 2 * limit or i > 2 * most_seen or bytes > most_bytes then
    reply[1], reply[2] = found[i - 2], found[i - 1]
    break
  end
  if fits(found[i]) then
    reply[#reply + 1] = found[i]
    reply[#reply + 1] = found[i + 1]
  end
end
return reply
