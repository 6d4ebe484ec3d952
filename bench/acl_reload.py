#!/usr/bin/env python3
"""How long do connected clients wait while rules or passwords are read anew?

    acl_reload.py AIRMAILD [--rules N] [--users N] [--mosquitto N] [--seconds S]

Starts a broker on a generated acl_file (or password_file), keeps clients pinging, sends SIGHUP, and reports the worst PINGREQ to
PINGRESP: on the clock, and in broker time, which is the CPU that the broker's connection threads spent while that ping waited
(/proc/PID/task/*/schedstat). On a shared machine the clock shows the scheduler; broker time shows the broker.
Debian's mosquitto runs in the same run for comparison, at a size that it survives.
"""
import argparse
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def connect(port, name, user):
    s = socket.create_connection(('127.0.0.1', port))
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    cid, who = name.encode(), user.encode()
    body = b'\0\4MQTT\4\x82\0\0' + len(cid).to_bytes(2, 'big') + cid + len(who).to_bytes(2, 'big') + who
    s.sendall(b'\x10' + bytes([len(body)]) + body)
    answer = s.recv(4)
    assert answer[:1] == b'\x20' and answer[3] == 0, answer
    return s


def threads_of(pid, names):
    out = []
    for tid in os.listdir(f'/proc/{pid}/task'):
        with open(f'/proc/{pid}/task/{tid}/comm') as f:
            if any(f.read().startswith(n) for n in names):
                out.append(os.open(f'/proc/{pid}/task/{tid}/schedstat', os.O_RDONLY))
    return out


def cpu_ns(fds):
    return [int(os.pread(fd, 64, 0).split()[0]) for fd in fds]


def process_cpu(pid):
    with open(f'/proc/{pid}/stat') as f:
        parts = f.read().rsplit(')', 1)[1].split()
    return (int(parts[11]) + int(parts[12])) / os.sysconf('SC_CLK_TCK')


def pinging(clients, fds, until):
    """Pings until `until()`; worst wait on the clock and in broker time, milliseconds, and how many pings."""
    worst = broker = 0.0
    count = 0
    while True:
        for c in clients:
            before, begun = cpu_ns(fds), time.perf_counter()
            c.sendall(b'\xc0\0')
            assert c.recv(2) == b'\xd0\0'
            waited = (time.perf_counter() - begun) * 1e3
            spent = max(b - a for a, b in zip(before, cpu_ns(fds))) / 1e6
            worst, broker, count = max(worst, waited), max(broker, spent), count + 1
        if until():
            return worst, broker, count
        time.sleep(0.002)


def measure(name, command, folder, rules, users, applied, names):
    port = free_port()
    extra = []
    with open(f'{folder}/acl', 'w') as f:
        for i in range(rules):
            f.write(f'user device-{i}\ntopic readwrite devices/device-{i}/#\n')
    if users:
        hashed = '$6$' + 'A' * 16 + '$' + 'B' * 86 + '=='
        with open(f'{folder}/passwords', 'w') as f:
            for i in range(users):
                f.write(f'device-{i}:{hashed}\n')
        extra = [f'password_file {folder}/passwords']
    conf = f'{folder}/conf'
    with open(conf, 'w') as f:
        f.write('\n'.join(['user root', f'listener {port} 127.0.0.1', 'allow_anonymous true', f'acl_file {folder}/acl'] + ([] if name == 'mosquitto' else [f'store_path {folder}/data', 'store_map_size 1GiB', 'metrics_port 0', f'control_socket {folder}/s'])) + '\n')
    log = open(f'{folder}/log', 'w+')
    broker = subprocess.Popen(command + ['-c', conf], stdout=log, stderr=log)
    try:
        began = time.monotonic()
        while True:
            try:
                clients = [connect(port, f'c{i}', f'device-{i}') for i in range(20)]
                break
            except OSError:
                if broker.poll() is not None or time.monotonic() - began > 300:
                    sys.exit(f'{name} did not start: ' + open(f'{folder}/log').read()[-2000:])
                time.sleep(0.05)
        started = time.monotonic() - began
        if extra:   # the clients are in; from now on there are passwords
            with open(conf, 'a') as f:
                f.write('\n'.join(extra) + '\n')
        fds = threads_of(broker.pid, names)
        quiet_end = time.monotonic() + 2
        quiet = pinging(clients, fds, lambda: time.monotonic() > quiet_end)
        cpu, mark, sent = process_cpu(broker.pid), os.path.getsize(f'{folder}/log'), time.monotonic()
        broker.send_signal(signal.SIGHUP)
        tail = {'end': None}

        def over():
            if tail['end'] is None:
                with open(f'{folder}/log') as f:
                    f.seek(mark)
                    if applied in f.read():
                        tail['end'] = time.monotonic() + 2   # what is freed afterwards counts too
                        tail['took'] = time.monotonic() - sent
            return (tail['end'] and time.monotonic() > tail['end']) or time.monotonic() - sent > 300
        busy = pinging(clients, fds, over)
        print(f'| {name} | {rules:,} | {users:,} | {started:.2f} | {process_cpu(broker.pid) - cpu:.2f} | {tail.get("took", float("nan")):.2f} | '
              f'{quiet[0]:.2f} / {quiet[1]:.3f} | {busy[0]:.2f} / **{busy[1]:.3f}** | {busy[2]:,} |', flush=True)
    finally:
        broker.terminate()
        broker.wait()


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('airmaild')
    p.add_argument('--rules', type=int, default=1_000_000)
    p.add_argument('--users', type=int, default=200_000)
    p.add_argument('--mosquitto', type=int, default=10_000)
    o = p.parse_args()
    print('| broker | rules | users | start s | reload CPU s | applied after s | worst PING before, ms (clock / broker time) | during the reload | pings |\n|---|---|---|---|---|---|---|---|---|')
    for name, command, rules, users, applied, names in [
            ('airmail', [o.airmaild], o.rules, 0, 'access rules applied', ['airmail-shard']),
            ('airmail', [o.airmaild], 1000, o.users, 'passwords applied', ['airmail-shard']),
            ('airmail', [o.airmaild], o.mosquitto, 0, 'access rules applied', ['airmail-shard']),
            ('mosquitto', ['/usr/sbin/mosquitto'], o.mosquitto, 0, 'Reloading config', ['mosquitto'])]:
        with tempfile.TemporaryDirectory(prefix='acl-reload-') as folder:
            measure(name, command, folder, rules, users, applied, names)


if __name__ == '__main__':
    main()
