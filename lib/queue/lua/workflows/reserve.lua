#!lua
-- reserve.lua: note which anchor a request with an idempotency key has, before anything of its graph is planted.
-- KEYS 1 base
-- ARGV 1 idempotency key  2 fingerprint of the request  3 id that the anchor is to have
-- RETURNS 'new' | 'planting ' and the id of the anchor: the request came before, and its graph is not there, or not
--      whole: it is to be planted again, under this id | 'planted ' and the id: the graph is there, or was
--      | 'conflict ' and the id: the key came with another request
-- @use planted
return reserve(ARGV[1], ARGV[2], ARGV[3])
