-- The idempotency key of a request for a graph of jobs: '<id of its anchor> <fingerprint> planting', and 'new' in place
-- of 'planting' from the moment in which the anchor is there, and with it the whole graph.
-- @use text_at
local function planted_key(key) return base .. 'idem:' .. key end

-- note_planted(key, fingerprint, id): the anchor is there. key: nil where the request has none.
local function note_planted(key, fingerprint, id)
  if key then redis.call('SET', planted_key(key), id .. ' ' .. fingerprint .. ' new', 'EX', 86400) end
end

-- reserve(key, fingerprint, id): what reserve.lua returns.
local function reserve(key, fingerprint, id)
  local known_id, known_print, known_why = string.match(text_at(planted_key(key)), '^(%S+) (%S+) (%S+)$')
  if not known_id then
    redis.call('SET', planted_key(key), id .. ' ' .. fingerprint .. ' planting', 'EX', 86400)
    return 'new'
  end
  if known_print ~= fingerprint then return 'conflict ' .. known_id end
  return (known_why == 'planting' and 'planting ' or 'planted ') .. known_id
end
