#!lua flags=no-writes
-- due_slots.lua: the schedules whose slot is due, the earliest first.
-- KEYS 1 base
-- ARGV 1 how many to pass over  2 most schedules  3 most bytes of texts, but one schedule at least
-- RETURNS {now, ms until the first slot that is not due, or '', how many are due, then for each: name, due ms, version,
--      slot, wall, anchor, text}; version and what follows are '' for a schedule whose hash is gone or broken
-- @use clock schedules
local from, most, bytes = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3])

local slots = base .. 'slots'
local _, coming_ms = unpack(redis.call('ZRANGEBYSCORE', slots, '(' .. now, '(+inf', 'WITHSCORES', 'LIMIT', 0, 1))
local reply = {now, slot_wait(tonumber(coming_ms)), redis.call('ZCOUNT', slots, '-inf', now)}
local due = redis.call('ZRANGEBYSCORE', slots, '-inf', now, 'WITHSCORES', 'LIMIT', from, most)
for i = 1, #due, 2 do
  local name, due_ms = due[i], due[i + 1]
  local version, slot, wall, anchor, text =
    unpack(redis.pcall('HMGET', schedule_key(name), 'version', 'slot', 'wall', 'anchor', 'text'))
  bytes = bytes - #(text or '')
  for _, value in ipairs({name, due_ms, version or '', slot or '', wall or '', anchor or '', text or ''}) do
    reply[#reply + 1] = value
  end
  if bytes <= 0 then return reply end
end
return reply
