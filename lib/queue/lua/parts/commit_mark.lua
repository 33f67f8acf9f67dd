-- note_commit(mark): '<process> <number>' of a caller that waits until replicas have what this call writes: it asks for
-- the number under commit:<process>, to know that the Redis which answers has it (lib/queue/enqueuer.py). '' for none.
local function note_commit(mark)
  local process, number = string.match(mark, '^(%S+) (%d+)$')
  if process then redis.call('SET', base .. 'commit:' .. process, number .. ' ', 'EX', '3600') end
end
