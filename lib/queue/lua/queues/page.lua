#!lua flags=no-writes
-- page.lua: the jobs behind a place in an index that fit, newest first.
-- KEYS 1 base
-- ARGV 1 index: all delayed completed dead cancelled  2 score and 3 id of the last one seen, or ''  4 most to give
--      5 most to look at  6 most bytes of specs to look at  7 state, or '' for any  8… texts that stand early in the spec
-- RETURNS {id, score of the last one looked at where there are more behind it, or '' and '', then id, score, id, score …}
-- WHY by rank: thousands of jobs may share one ms, and a rank finds the place among them at once. Where the last one
-- seen has been deleted meanwhile, or has moved, its place is sought among those of its ms, 10,000 at the most.
local index, score, id, limit = base .. ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local most, most_bytes, state = tonumber(ARGV[5]), tonumber(ARGV[6]), ARGV[7]
local HEAD_BYTES, MOST_HELD = 1024, 2000

-- What is asked of each job: the spec first, the state last.
local asked = {}
if #ARGV > 7 then asked[1] = 'spec' end
if state ~= '' then asked[#asked + 1] = 'state' end

local bytes = 0
local function fits(other)
  if #asked == 0 then return true end
  local f = redis.pcall('HMGET', base .. 'job:' .. other, unpack(asked))
  if not f[1] or (state ~= '' and f[#asked] ~= state) then return false end
  bytes = bytes + #f[1]
  local head = #f[1] > HEAD_BYTES and string.sub(f[1], 1, HEAD_BYTES) or f[1]
  for i = 8, #ARGV do
    if not string.find(head, ARGV[i], 1, true) then return false end
  end
  return true
end

local function from_index()
  local from = 0
  if id ~= '' then
    local rank = redis.call('ZREVRANK', index, id)
    if rank and tonumber(redis.call('ZSCORE', index, id)) == tonumber(score) then
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
  return redis.call('ZREVRANGE', index, from, from + most, 'WITHSCORES')
end

-- WHY not by the index: of a million jobs the active ones are few, and as a rule the oldest. nil where they are many.
local function from_hands()
  local held, count = {}, 0
  for _, worker in ipairs(redis.call('HKEYS', base .. 'workers')) do
    local others = redis.call('LRANGE', base .. 'active:' .. worker, 0, MOST_HELD)
    count = count + #others
    if count > MOST_HELD then return nil end
    for _, other in ipairs(others) do
      local created = tonumber(redis.call('ZSCORE', index, other))
      local is_behind = id == '' or (created and (created < tonumber(score) or (created == tonumber(score) and other < id)))
      if created and is_behind then held[#held + 1] = {created, other} end
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

local found = state == 'active' and from_hands() or from_index()
local reply = {'', ''}
for i = 1, #found, 2 do
  if #reply == 2 + 2 * limit or i > 2 * most or bytes > most_bytes then
    reply[1], reply[2] = found[i - 2], found[i - 1]
    break
  end
  if fits(found[i]) then
    reply[#reply + 1] = found[i]
    reply[#reply + 1] = found[i + 1]
  end
end
return reply
