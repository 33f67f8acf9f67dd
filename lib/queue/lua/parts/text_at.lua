-- text_at(key): the string in a key; '' where the key does not exist or holds something else.
local function text_at(key)
  local text = redis.pcall('GET', key)
  return type(text) == 'string' and text or ''
end
