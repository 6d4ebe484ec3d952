"""Debian's Swift with s3api and tempauth in a throw-away directory, on loopback: rings, configurations, four servers.

swift_house.py DIRECTORY PROXY ACCOUNT CONTAINER OBJECT   ports; account test, user airmail, secret `testing`
Ends its servers when it is ended. 77: Swift is not installed.
"""
import ctypes
import os
import signal
import sys

try:
    from swift.common import utils
    from swift.common.ring import RingBuilder
except ImportError:
    print("left out: Debian's swift is not installed (tools/setup --test)")
    sys.exit(77)

parent = os.getppid()
where, proxy, *backs = sys.argv[1:6]
kinds = dict(zip(("account", "container", "object"), backs))

COMMON = """[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
workers = 0
user = {user}
swift_dir = {where}
devices = {where}/devices
mount_check = false
disable_fallocate = true
log_name = {kind}
"""
STORE = COMMON + """[pipeline:main]
pipeline = {kind}-server
[app:{kind}-server]
use = egg:swift#{kind}
recon_cache_path = {where}
"""
PROXY = COMMON + """[pipeline:main]
pipeline = catch_errors proxy-logging cache listing_formats s3api tempauth bulk slo dlo keymaster encryption proxy-server
[app:proxy-server]
use = egg:swift#proxy
allow_account_management = true
account_autocreate = true
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:1
[filter:proxy-logging]
use = egg:swift#proxy_logging
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
[filter:tempauth]
use = egg:swift#tempauth
user_test_airmail = testing .admin
[filter:keymaster]
use = egg:swift#keymaster
encryption_root_secret = MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=
""" + "".join(f"[filter:{name}]\nuse = egg:swift#{name}\n" for name in ("catch_errors", "listing_formats", "bulk", "slo", "dlo", "encryption"))


def write(name, text):
    with open(f"{where}/{name}", "w", encoding="ascii") as out:
        out.write(text)


os.makedirs(f"{where}/devices/d1", exist_ok=True)
write("swift.conf", "[swift-hash]\nswift_hash_path_suffix = throwaway\n[storage-policy:0]\nname = one\ndefault = yes\n")
user = os.popen("id -un").read().strip()
for kind, port in kinds.items():
    ring = RingBuilder(4, 1, 1)      # 16 partitions, one copy
    ring.add_dev({"region": 1, "zone": 1, "ip": "127.0.0.1", "port": int(port), "device": "d1", "weight": 1})
    ring.rebalance()
    ring.get_ring().save(f"{where}/{kind}.ring.gz")
    write(f"{kind}-server.conf", STORE.format(kind=kind, port=port, user=user, where=where))
write("proxy-server.conf", PROXY.format(kind="proxy", port=proxy, user=user, where=where))

# The package looks for swift.conf in /etc; ours lies here.
utils.set_swift_dir(where)
children = []
for kind in (*kinds, "proxy"):
    child = os.fork()
    if child == 0:
        log = os.open(f"{where}/{kind}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 1), os.dup2(log, 2)
        from swift.common.wsgi import run_wsgi
        sys.exit(run_wsgi(f"{where}/{kind}-server.conf", kind + "-server", verbose=True))
    children.append(child)


def end(*_):
    for c in children:
        try:
            os.kill(c, signal.SIGKILL)
        except ProcessLookupError:
            pass
    os._exit(0)


signal.signal(signal.SIGTERM, end)
signal.signal(signal.SIGINT, end)
# Nobody's servers outlive who started them: the kernel tells us (PR_SET_PDEATHSIG) when that one is gone.
ctypes.CDLL(None).prctl(1, signal.SIGTERM)
if os.getppid() != parent:
    end()
while True:
    signal.pause()
