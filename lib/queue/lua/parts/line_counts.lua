-- line_counts(): how many groups have waiting jobs that may start, are full or paused, and rest; and how many of those
-- that rest are held by a job of theirs. A text of names and counts parted by \31; '' where the queue has no groups. A
-- group that waits in two priorities counts twice.
-- has_waiting(): does any job wait to be claimed?
local function line_counts()
  if redis.call('EXISTS', base .. 'groups') == 0 then return '' end
  local waiting = 0
  for _, priority in ipairs({'high', 'normal', 'low'}) do
    local turns = redis.call('ZCARD', base .. 'turns:' .. priority)
    waiting = waiting + math.max(0, turns - (redis.call('ZSCORE', base .. 'turns:' .. priority, '') and 1 or 0))
  end
  local full, resting = redis.call('SCARD', base .. 'full'), redis.call('ZCARD', base .. 'resting')
  local held = redis.call('HLEN', base .. 'held')
  return table.concat({'waiting', waiting, 'full', full, 'resting', resting, 'held', held}, '\31')
end

local function has_waiting()
  return redis.call('EXISTS', base .. 'ready:high', base .. 'ready:normal', base .. 'ready:low', base .. 'turns:high',
    base .. 'turns:normal', base .. 'turns:low') > 0
end
