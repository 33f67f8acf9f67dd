-- The field `callback_token` of a job whose attempt may be ended by a callback: '<claims> <sha256> <word>'. claims: the
-- attempt's token. sha256: of the secret in the callback's URL; whoever reads Redis can call nobody back. word: '-' no
-- callback has come | 'l' none, and no attempt is left | 'c' it has completed the job | 'f' it has failed the attempt
-- | 'e1764410000123' the time was extended until then before the job was handed over.
-- Example: '3 6e0c…64 hex digits… -'.
local function read_callback_token(text) return string.match(text or '', '^(%d+) (%x+) (%S+)$') end
local function write_callback_token(job, claims, sha256, word)
  redis.call('HSET', job, 'callback_token', claims .. ' ' .. sha256 .. ' ' .. word)
end
