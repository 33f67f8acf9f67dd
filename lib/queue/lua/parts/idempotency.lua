-- asked_before(key, fingerprint): whether a change came before under its idempotency key: 'replayed', or 'conflict' where
-- it was another request; nil where it is new, or bears no key ('').
-- WHY as enqueue.lua writes them: a key is one request's, whatever that asks for.
-- @use text_at
local function asked_before(key, fingerprint)
  if key == '' then return nil end
  local known_print = string.match(text_at(base .. 'idem:' .. key), '^%S+ (%S+) %S+$')
  return known_print and (known_print == fingerprint and 'replayed' or 'conflict')
end

-- note_asked(key, fingerprint, name): the change of that job, or that queue, was made.
local function note_asked(key, fingerprint, name)
  if key ~= '' then redis.call('SET', base .. 'idem:' .. key, name .. ' ' .. fingerprint .. ' changed', 'EX', 86400) end
end
