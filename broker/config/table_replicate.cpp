// replicate_*: where the registry is copied to (storage/replicate).

#include "broker/config/tables.hpp"

namespace airmail::config::tables {
namespace {

using enum type;

constexpr directive rows[] = {
    {.name = "replicate_postgres", .standard = "", .doc = "The fleet's ledger: a libpq connection string without password (host=a,b port=5432 dbname=airmail user=airmail); several hosts: the one that takes writes. Remote hosts are verified in full (sslmode=verify-full sslrootcert=...) unless sslmode says otherwise. Empty is none."},
    {.name = "replicate_postgres_password", .standard = "", .doc = "Where its password is: file:/path, credential:NAME (systemd), env:NAME or exec:/program; read at every connection."},
    {.name = "replicate_redis", .standard = "", .doc = "The fast view: redis://[user@]host:port[,host:port][/db], rediss:// for TLS, or unix:///path. Empty is none."},
    {.name = "replicate_redis_password", .standard = "", .doc = "Where its password is: file:/path, credential:NAME (systemd), env:NAME or exec:/program; read at every connection."},
    {.name = "replicate_redis_cluster", .kind = flag, .standard = "false", .doc = "The hosts of replicate_redis are seeds of a Redis Cluster."},
    {.name = "replicate_redis_cafile", .kind = path, .standard = "", .doc = "CA that signed Redis' certificate; empty means the system's."},
    {.name = "replicate_redis_certfile", .kind = path, .standard = "", .doc = "Client certificate for Redis."},
    {.name = "replicate_redis_keyfile", .kind = path, .standard = "", .doc = "Key of it."},
    {.name = "replicate_batch", .kind = count, .standard = "1000", .doc = "Rows copied in one exchange.", .least = 1, .most = 100'000},
    {.name = "replicate_timeout", .kind = duration, .standard = "30s", .doc = "An exchange that takes longer is cut and made again.", .unit = "seconds"},
    {.name = "replicate_outbox_max", .kind = count, .standard = "1M", .doc = "Rows kept on disk for a destination that is away; beyond it they are dropped and it is filled anew.", .least = 1000, .most = 100'000'000},
    {.name = "replicate_reads", .standard = "memory sqlite", .doc = "Where /api/v1/devices/{id}/status and /api/v1/campaigns/{id}/status are answered from, first to last: memory, redis, sqlite, postgres. The last one is a ledger (sqlite or postgres); what Redis lacked is put back there."},
    {.name = "replicate_reads_postgres", .standard = "", .doc = "Connection string for these reads, such as a replica's; empty means replicate_postgres. The password is replicate_postgres_password."},
    {.name = "replicate_reads_fresh", .kind = duration, .standard = "1s", .doc = "How old an answer from memory may be; 0 remembers nothing.", .unit = "seconds"},
    {.name = "replicate_reads_timeout", .kind = duration, .standard = "250ms", .doc = "How long Redis or Postgres may take to answer before the next source is asked.", .unit = "seconds"},
    {.name = "replicate_lag_alarm", .kind = duration, .standard = "5m", .doc = "A destination further behind than this raises an alert; 0 is never.", .unit = "seconds"},
};

}

std::span<directive const> replication() { return rows; }

}
