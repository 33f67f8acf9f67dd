-- ring(): wake one idle runner. An idle runner blocks on ready:normal alone, and does not see what the other lists get.
-- The runner that is woken by the bell claims from all lists, and rings again where its claim leaves jobs behind.
local function ring()
  if redis.call('EXISTS', base .. 'ready:normal') == 0 then redis.call('LPUSH', base .. 'ready:normal', 'bell') end
end
