-- text_at(key): the string that stands there; '' where there is none, or something else.
local function text_at(key)
  local text = redis.pcall('GET', key)
  return type(text) == 'string' and text or ''
end
