-- The field `callback_token` of a job whose attempt may be ended by a callback: '<claims> <sha256> <word>'. claims: the
-- attempt's token. sha256: of the secret in the callback's URL; whoever reads Redis can call nobody back. word: '-' no
-- callback has come | 'l' none, and no attempt is left | 'c' it has completed the job | 'f' it has failed the attempt
-- | 'e1764410000123' the time was extended until then before the job was handed over.
-- Example: '3 6e0c…64 hex digits… -'.
-- The field `callback_before` has the hashes of the former secrets, the newest first, parted by blanks. The answer to
-- a former secret is that the time of that callback is over; the answer to any other text says nothing of the job.
-- new_callback_token(job, claims, sha256, word): the job has another secret from now on. '0' for sha256: it has none.
-- has_sent(job, sha256): did the job have that secret before?
local SECRETS_KEPT = 20
local function read_callback_token(text) return string.match(text or '', '^(%d+) (%x+) (%S+)$') end
local function write_callback_token(job, claims, sha256, word)
  redis.call('HSET', job, 'callback_token', claims .. ' ' .. sha256 .. ' ' .. word)
end

local function new_callback_token(job, claims, sha256, word)
  local known, before = unpack(redis.call('HMGET', job, 'callback_token', 'callback_before'))
  local _, last = read_callback_token(known)
  if last then
    local hashes = {last}
    for one in string.gmatch(before or '', '%x+') do
      if #hashes < SECRETS_KEPT then hashes[#hashes + 1] = one end
    end
    redis.call('HSET', job, 'callback_before', table.concat(hashes, ' '))
  end
  write_callback_token(job, claims, sha256, word)
end

local function has_sent(job, sha256)
  for one in string.gmatch(redis.call('HGET', job, 'callback_before') or '', '%x+') do
    if one == sha256 then return true end
  end
  return false
end
