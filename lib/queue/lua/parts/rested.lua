-- first_rest(): when the first of the groups that rest has rested, in ms since 1970; nil where none rests.
local function first_rest() return tonumber(redis.call('ZRANGE', base .. 'resting', '0', '0', 'WITHSCORES')[2]) end
