#!lua flags=allow-oom
-- adjust.lua: set what holds for a queue as a whole.
-- KEYS 1 base
-- ARGV 1… name, value; '' for a value takes the setting away
-- RETURNS how many were set or taken away
-- WHY nobody is woken: a runner that is held back asks again within 250 ms.
for i = 1, #ARGV, 2 do
  if ARGV[i + 1] == '' then
    redis.call('HDEL', base .. 'meta', ARGV[i])
  else
    redis.call('HSET', base .. 'meta', ARGV[i], ARGV[i + 1])
  end
end
return #ARGV / 2
