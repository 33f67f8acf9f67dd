-- type_of_job(job): the type of the job with this key, for a script that has not read the spec.
-- @use types
local function type_of_job(job)
  local spec = redis.pcall('HGET', job, 'spec')
  return type_in_spec(type(spec) == 'string' and spec)
end
