-- Idempotency keys of changes (PATCH, cancel, retry, a queue's settings). A key is one request's, whatever the request
-- asks for, so that the record is written as enqueue.lua writes its own: '<id or queue> <fingerprint> changed'.
-- @use text_at

-- asked_before(key, fingerprint): 'replayed' where this request came before, 'conflict' where another request came with
-- the same key; nil where the key is new, or ''.
local function asked_before(key, fingerprint)
  if key == '' then return nil end
  local known_print = string.match(text_at(base .. 'idem:' .. key), '^%S+ (%S+) %S+$')
  return known_print and (known_print == fingerprint and 'replayed' or 'conflict')
end

-- note_asked(key, fingerprint, name): the change of the job, or the queue, `name` was made. The record stays for a day.
local function note_asked(key, fingerprint, name)
  if key ~= '' then redis.call('SET', base .. 'idem:' .. key, name .. ' ' .. fingerprint .. ' changed', 'EX', 86400) end
end
