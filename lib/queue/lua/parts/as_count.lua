-- as_count(text): a count that a script wrote into a job's record, as a number; 0 for anything else.
-- WHY so strict: the '1.5' or '1e300' that a person wrote there by hand would stop the runner that reads it back.
local function as_count(text)
  return text and string.match(text, '^%d+$') and #text <= 12 and tonumber(text) or 0
end
