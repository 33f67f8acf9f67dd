-- What a claim reads of a job's record: two replies of HMGET, and names for the places of the fields in them.
-- WHY no table of named values: a claim of a hundred jobs would make a hundred tables more. The names cost nothing:
-- scripts.py puts the numbers in their place.

-- read_for_claim(id): the fields that every claim needs; false for a field that is not there, and nothing where the
-- record is broken.
local SPEC, STATE, CLAIMS, EXPIRES, SINCE, LISTED, GIVES_UP = 1, 2, 3, 4, 5, 6, 7
local function read_for_claim(id)
  return redis.pcall('HMGET', base .. 'job:' .. id, 'spec', 'state', 'claims', 'expires', 'since', 'listed', 'gives_up')
end

-- past_of(job, claims): what earlier claims left in the record, where there was one.
-- WHY apart from read_for_claim: most jobs were never claimed, and a missing field costs as much as any other.
local ATTEMPTS, OWNER, UNKNOWN_SINCE, CHECKPOINT = 1, 2, 3, 4
local function past_of(job, claims)
  return claims and redis.call('HMGET', job, 'attempts', 'worker', 'unknown_since', 'checkpoint') or {}
end
