-- The strikes of groups, as they come and go (strikes.lua says what they are).
-- @use clock lines strikes

-- strike(group, started_ms, id, words): the attempt of the job `id` that began at started_ms got no answer. The group
-- has one strike more, and rests for 1, 2, 4 … 256, 300 seconds. words: what went wrong, a short text.
-- WHY nothing where the attempt had begun by the last strike: twenty attempts that fail together are one strike.
-- WHY a last strike that is to come counts for nothing: the clock was set back since.
local function strike(group, started_ms, id, words)
  if not group or group == '' then return end
  local count, last_ms = strikes_of(group)
  if last_ms and last_ms <= now_ms and (tonumber(started_ms or nil) or now_ms) <= last_ms then return end
  count = (count or 0) + 1
  local until_ms = now_ms + math.min(LONGEST_REST_MS, 1000 * 2 ^ math.min(count - 1, 20))
  local text = table.concat({digits(count), now, digits(until_ms), words}, ' ')
  redis.pcall('HSET', base .. 'strikes', group, text)
  lines().hold(group, until_ms, id)
end

-- end_strikes(group): an attempt went well, or a person says so: the group has no strikes, and does not rest for them
-- any more. Returns whether it had any. A hold that ends at another time stays: a job has asked for that.
local function end_strikes(group)
  local _, _, until_ms = strikes_of(group)
  if redis.pcall('HDEL', base .. 'strikes', group) ~= 1 then return false end
  local held_until = string.match(tostring(redis.pcall('HGET', base .. 'held', group)), '^%d+')
  if held_until and tonumber(held_until) ~= until_ms then return true end
  if held_until then redis.call('HDEL', base .. 'held', group) end
  lines().start(group)
  return true
end

-- end_strikes_of(ids, groups): these jobs are completed, or were handed over. groups: id -> group, for those that have
-- one.
local function end_strikes_of(ids, groups)
  for _, id in ipairs(ids) do
    local group = groups[id]
    if group and group ~= '' then end_strikes(group) end
  end
end
