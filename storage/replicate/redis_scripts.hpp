#pragma once
// The four scripts. Each compares the sequence beside the key first: what is late does nothing. Sequences are compared as text,
// by length and then by digits: Lua's numbers end at 2^53.

#include <string>

namespace airmail::storage::replicate {

enum redis_script { script_put, script_push, script_refill, script_restore };

/// The key beside a key that says how new it is; in the same slot.
inline std::string guard_of(std::string const& key) { return "airmail:seq:{" + key + "}"; }

/// KEYS key, guard. ARGV seq, life in s, value ("" = remove), channel ("" = silent), event, status, notice. @return 1 written, 0 late
inline std::string const redis_scripts[] = {R"lua(
local s = redis.call('GET', KEYS[2])
if s and (#s > #ARGV[1] or (#s == #ARGV[1] and s > ARGV[1])) then return 0 end
local old = redis.call('GET', KEYS[1])
redis.call('SET', KEYS[2], ARGV[1], 'EX', 3600)
local said = ARGV[7]
if ARGV[3] == '' then redis.call('DEL', KEYS[1])
else
  redis.call('SET', KEYS[1], ARGV[3], 'EX', ARGV[2])
  said = string.sub(ARGV[3], 1, -2)
end
if ARGV[4] ~= '' then
  local event = ARGV[5]
  if event == 'updated' and ARGV[6] ~= '' and old and string.match(old, '"status": "(%a+)"}$') ~= ARGV[6] then event = ARGV[6] end
  redis.call('PUBLISH', ARGV[4], said .. ', "event": "' .. event .. '", "seq": ' .. ARGV[1] .. '}')
end
return 1
)lua",
// KEYS list, guard. ARGV seq, JSON, how many stay.
R"lua(
local s = redis.call('GET', KEYS[2])
if s and (#s > #ARGV[1] or (#s == #ARGV[1] and s >= ARGV[1])) then return 0 end
redis.call('SET', KEYS[2], ARGV[1])
redis.call('LPUSH', KEYS[1], ARGV[2])
redis.call('LTRIM', KEYS[1], 0, tonumber(ARGV[3]) - 1)
return 1
)lua",
// KEYS list, guard. ARGV seq, JSON newest first ...
R"lua(
redis.call('DEL', KEYS[1])
redis.call('SET', KEYS[2], ARGV[1])
for i = 2, #ARGV do redis.call('RPUSH', KEYS[1], ARGV[i]) end
return 1
)lua",
// What a reader missed and a ledger knew. KEYS key, guard. ARGV seq, life in s, value, the guard as the reader saw it ("" = none).
// @return 1 written; 0 somebody wrote since the miss, or knows better than the ledger
R"lua(
local s = redis.call('GET', KEYS[2]) or ''
if s ~= ARGV[4] or redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
if #s > #ARGV[1] or (#s == #ARGV[1] and s > ARGV[1]) then return 0 end
redis.call('SET', KEYS[1], ARGV[3], 'EX', ARGV[2])
return 1
)lua"};

}
