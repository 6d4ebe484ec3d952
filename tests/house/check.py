#!/usr/bin/env python3
"""Looks at the house itself: include arrows, pure rooms, the sample configuration, names of metrics and settings, words that
stand for unfinished work, sleeping tests, rooms without a README.

    check.py ROOT HOUSE_CONFIG [--update]     --update rewrites examples/config/full.conf from the table
"""
import os
import re
import subprocess
import sys

CODE = ('.cpp', '.hpp', '.h', '.c')
SKIP_FOLDERS = {'build', '.git', '.cache', 'node_modules', 'dist', '__pycache__', 'corpus'}

# Who may include whom, top level. tests, bench and examples see everything; nothing looks at them.
TOP = {'acl': set(), 'storage': set(), 'plugins': {'acl', 'storage'}, 'broker': {'plugins', 'acl', 'storage'},
       'tools': {'broker', 'plugins', 'acl', 'storage'}}
SEES_ALL = {'tests', 'bench', 'examples'}

# Inside of broker, from the bottom up: a room may include those named here. '' is broker/*.cpp and broker/*.hpp.
BENEATH = {'log', 'config', 'shard'}
BROKER = {'log': set(), 'config': {'log'}, 'shard': {'log', 'config'}, 'codec': set(), 'session': {'codec'} | BENEATH}
BROKER['router'] = BROKER['session'] | {'session'}
BROKER['host'] = BROKER['router'] | {'router'}
BROKER['handlers'] = BROKER['host'] | {'host'}
BROKER['net'] = BROKER['handlers'] | {'handlers'}
BROKER['admin'] = BROKER['net'] | {'net'}        # HTTPS runs over net's TLS stream
BROKER['cluster'] = BROKER['net'] | {'net'}
BROKER['bridge'] = BROKER['handlers'] | {'handlers'}  # a client of the handlers on one side, a socket of its own on the other
BROKER[''] = BROKER['admin'] | {'admin', 'cluster', 'bridge'}

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*[<"]([^>"]+)[>"]', re.M)


def read_tree(root):
    """Every source file: path from the root -> text."""
    files = {}
    for folder, folders, names in os.walk(root):
        folders[:] = [f for f in folders if f not in SKIP_FOLDERS and not f.startswith('build')]
        for name in names:
            path = os.path.relpath(os.path.join(folder, name), root)
            if name.endswith(CODE + ('.py', '.sh', '.cmake', '.fbs', '.sql', '.md', '.ts', '.tsx')) or name == 'CMakeLists.txt' or path.startswith('tools/'):
                with open(os.path.join(root, path), errors='replace') as f:
                    files[path] = f.read()
    return files


def includes(files):
    """Includes between our own files: path -> list of paths."""
    graph = {}
    for path, text in files.items():
        if not path.endswith(CODE):
            continue
        graph[path] = []
        for name in INCLUDE.findall(text):
            for guess in (name, os.path.normpath(os.path.join(os.path.dirname(path), name))):
                if guess in files:
                    graph[path].append(guess)
                    break
    return graph


def room_in_broker(path):
    parts = path.split('/')
    return parts[1] if len(parts) > 2 else ''


def arrows(files, graph):
    bad = []
    for path, targets in graph.items():
        a = path.split('/')[0]
        for target in targets:
            b = target.split('/')[0]
            if a in SEES_ALL or a not in TOP:
                continue
            if a != b:
                if b not in TOP[a]:
                    bad.append(f'{path}: {a} may not include {target}')
                elif a == 'broker' and b == 'plugins' and not target.startswith('plugins/sdk/') and room_in_broker(path) != '':
                    bad.append(f'{path}: only broker/broker.cpp and main.cpp know plugins other than the SDK, not {target}')
            elif a == 'broker':
                ra, rb = room_in_broker(path), room_in_broker(target)
                if ra != rb and ra in BROKER and rb not in BROKER[ra]:
                    bad.append(f'{path}: broker/{ra} may not include {target}')
                elif ra not in BROKER:
                    bad.append(f'{path}: broker/{ra} is no room that tests/house knows')
            elif a == 'plugins' and path.startswith('plugins/sdk/') and not target.startswith('plugins/sdk/'):
                bad.append(f'{path}: the SDK may not include {target}')
    return bad


def written_from_the_root(files, graph):
    """Includes of our own files are written from the root, so that one search path is enough."""
    bad = []
    for path, text in files.items():
        if not path.endswith(CODE) or path.split('/')[0] in SEES_ALL:
            continue
        for name in re.findall(r'^[ \t]*#[ \t]*include[ \t]*"([^"]+)"', text, re.M):
            beside = os.path.normpath(os.path.join(os.path.dirname(path), name))
            if name not in files and beside in files:
                bad.append(f'{path}: write "{beside}" instead of "{name}"')
    return bad


def cycles(files, graph):
    """Cycles between files, and between the folders of plugins and storage."""
    folders = {}
    for path, targets in graph.items():
        a = '/'.join(path.split('/')[:2])
        for target in targets:
            b = '/'.join(target.split('/')[:2])
            if a != b and os.path.splitext(a)[1] == '' == os.path.splitext(b)[1] and path.split('/')[0] not in SEES_ALL:
                folders.setdefault(a, set()).add(b)
    return [f'files include each other: {c}' for c in find_cycles(graph)] + [f'folders include each other: {c}' for c in find_cycles(folders)]


def find_cycles(graph):
    """The cycles that a depth-first walk meets; each as `a -> b -> a`."""
    state, found = {}, []
    for start in graph:
        if start in state:
            continue
        stack = [(start, iter(graph.get(start, ())))]
        state[start], trail = 1, [start]
        while stack:
            node, rest = stack[-1]
            for nxt in rest:
                if state.get(nxt) == 1:
                    found.append(' -> '.join(trail[trail.index(nxt):] + [nxt]))
                elif nxt not in state:
                    state[nxt] = 1
                    trail.append(nxt)
                    stack.append((nxt, iter(graph.get(nxt, ()))))
                    break
            else:
                state[node] = 2
                stack.pop()
                trail.pop()
    return found


def pure(files, graph):
    """codec and session: bytes and a time in, packets and actions out; no Asio, also not through another header. acl and the
    codec know no clock."""
    bad, io = [], re.compile(r'#\s*include\s*<boost/(asio|beast)')
    for path in graph:
        if not re.match(r'broker/(codec|session)/', path):
            continue
        seen, todo = {path}, [path]
        while todo:
            one = todo.pop()
            if io.search(files[one]):
                bad.append(f'{path}: reaches Asio' + (f' through {one}' if one != path else ''))
                break
            new = [t for t in graph.get(one, ()) if t not in seen]
            seen.update(new)
            todo += new
        if re.search(r'(system|steady)_clock::now|[^_]time\(nullptr\)', files[path]):
            bad.append(f'{path}: asks for the time; it must be given')
    return bad


def asio_is_linked(files, graph):
    """Whoever includes Asio or Beast must link airmail::asio (separate compilation), or the one-definition rule breaks."""
    links = {}       # library -> libraries named in its CMakeLists.txt
    of_folder = {}
    for path, text in files.items():
        if os.path.basename(path) != 'CMakeLists.txt':
            continue
        named = set(re.findall(r'airmail::(\w+)', text))
        of_folder[os.path.dirname(path)] = named
        for library in re.findall(r'airmail_room\((\w+)|add_library\(airmail_(\w+)', text):
            links.setdefault(library[0] or library[1], set()).update(named)
    bad = []
    for path, text in files.items():
        if not path.endswith(('.cpp', '.hpp')) or not re.search(r'#\s*include\s*<boost/(asio|beast)', text):
            continue
        folder = os.path.dirname(path)
        while folder and folder not in of_folder:
            folder = os.path.dirname(folder)
        if path.startswith(('tests/support/', 'tools/cmake/')) or not folder:
            continue
        reached, todo = set(), list(of_folder[folder])
        while todo:
            one = todo.pop()
            if one not in reached:
                reached.add(one)
                todo += links.get(one, ())
        if 'asio' not in reached:
            bad.append(f'{path}: includes Asio, but {folder}/CMakeLists.txt does not link airmail::asio')
    return bad


def unfinished(files, graph):
    word = re.compile(r'\b(TO' + r'DO|FIX' + r'ME|XX' + r'X|HA' + r'CK)\b')
    return [f'{path}:{n}: {line.strip()[:100]}' for path, text in files.items() for n, line in enumerate(text.split('\n'), 1) if word.search(line)]


def sleeping(files, graph):
    code = re.compile(r'\b(sleep_for|sleep_until|usleep|nanosleep)\b|[^_\w.]sleep\s*\(\s*\d')
    script = re.compile(r'time\.sleep|^\s*sleep\s', re.M)
    bad = []
    for path, text in files.items():
        if not path.startswith('tests/') or path.startswith('tests/house/'):
            continue
        if path.endswith(CODE) and code.search(text):
            bad.append(f'{path}: sleeps; wait for the event, or turn the fake clock')
        if re.match(r'tests/(unit|behaviour)/', path) and path.endswith(('.py', '.sh')) and script.search(text):
            bad.append(f'{path}: sleeps')
    return bad


def log_read_at_once(files, graph):
    """A thread of its own writes the log: the answer to a request may be here before its line."""
    once = re.compile(r'\bCHECK(_MESSAGE)?\([\w.>-]+\bsaid\(\)\.find\([^)]*\) !=')
    return [f'{path}:{n}: reads the log at once; says() waits for the line' for path, text in files.items() if path.startswith('tests/') and path.endswith(CODE)
            for n, line in enumerate(text.split('\n'), 1) if once.search(line)]


def readmes(files, graph):
    rooms = set()
    for path in graph:
        parts = path.split('/')
        if parts[0] in ('acl', 'bench'):
            rooms.add(parts[0])
        elif parts[0] in ('broker', 'plugins', 'storage', 'tools') and len(parts) > 2 and parts[1] != 'cmake':
            rooms.add('/'.join(parts[:2]))
    def told_above(room):  # a small room may have its place in the README of the one above: its name with a slash
        above, _, name = room.rpartition('/')
        return name + '/' in files.get(above + '/README.md', '')
    return [f'{room}: a room without README.md' for room in sorted(rooms) if room + '/README.md' not in files and not told_above(room)]


def header_guards(files, graph):
    return [f'{path}: no #pragma once' for path in graph if path.endswith('.hpp') and '#pragma once' not in files[path]]


METRIC = re.compile(r'metrics::(counter|gauge|histogram)\b[^;{}("]*[{(]\s*"([^"]*)"')


def metric_names(files, graph):
    """airmail_<room>_<what>_<unit>, as promtool wants them: it only sees those that are linked into its test."""
    bad = []
    for path, text in files.items():
        if path.split('/')[0] not in TOP or not path.endswith(('.cpp', '.hpp')):
            continue
        text = re.sub(r'^\s*//.*$', '', text, flags=re.M)
        for kind, name in METRIC.findall(text):
            if not re.fullmatch(r'airmail_[a-z0-9]+(_[a-z0-9]+)+', name):
                bad.append(f'{path}: metric "{name}" is not airmail_<room>_<what>_<unit>')
            elif (kind == 'counter') != name.endswith('_total'):
                bad.append(f'{path}: {kind} "{name}": counters, and only they, end in _total')
            elif re.search(r'_(ms|us|ns|milliseconds|microseconds|kib|mib|kilobytes|minutes|hours|percent)(_total)?$', name):
                bad.append(f'{path}: "{name}": base units only: seconds, bytes, ratio')
            elif kind == 'histogram' and not re.search(r'_(seconds|bytes|messages|packets|ratio)$', name):
                bad.append(f'{path}: histogram "{name}" lacks its unit')
            elif re.search(r'_(count|sum|bucket)$', name):
                bad.append(f'{path}: "{name}": _count, _sum and _bucket belong to histograms')
    return bad


GETTER = re.compile(r'(?:\.|->)(flag|number|size|duration|percent|text|list|written)\(\s*"([a-z0-9_.]+)"\s*\)')
KINDS = {'true or false': 'flag', 'number': 'number', 'size': 'size', 'duration': 'duration', 'percent': 'percent', 'text': 'text', 'path': 'text', 'one of': 'text'}


def setting_names(files, graph, sample):
    """Settings that code asks for exist, and with that type: else the getter throws when the broker starts."""
    known = {}
    for facts, name in re.findall(r'^# \(([^\n]*)\)\n#([^\s]+)', sample, re.M):
        known[name] = next(v for k, v in KINDS.items() if facts.startswith(k))
    bad = []
    for path, text in files.items():
        if path.split('/')[0] not in ('broker', 'tools') or path.startswith('broker/config/') or '"broker/config/' not in text:
            continue
        for getter, name in GETTER.findall(text):
            if name not in known:
                bad.append(f'{path}: there is no setting "{name}"')
            elif getter not in ('list', 'written') and known[name] != getter:
                bad.append(f'{path}: setting "{name}" is a {known[name]}, not a {getter}')
    return bad


def read_settings(files, graph, rows):
    """Every row of the directive table that is marked as obeyed has a reader: its name stands as a text in some source but the
    tables; and of the structs that carry settings onward (config::limits, handlers::listener_rules) no member is left lying."""
    table = re.compile(r'broker/config/table_\w+\.cpp$')
    text = '\n'.join(t for p, t in files.items() if p.endswith(CODE) and p.split('/')[0] in TOP and not table.search(p))
    said = set(re.findall(r'"([a-z_0-9.]+)"', text))
    bad = [f'{name} is marked as obeyed, and nothing reads it' for name, standing in rows if standing == 'obeyed' and name not in said]
    for path, struct, mine, readers in (('broker/config/limits.hpp', 'limits', 'broker/config/', r'\bm\.'),
                                        ('broker/handlers/peer.hpp', 'listener_rules', 'broker/listeners.cpp', r'(?:rules|rules\(\)|rules_)(?:\.|->)')):
        if path not in files:
            continue
        others = '\n'.join(t for p, t in files.items() if p.endswith(CODE) and p.split('/')[0] in TOP and not p.startswith(mine))
        bad += [f'{path}: {struct}::{m} is read nowhere' for m in members(files[path], struct) if not re.search(readers + m + r'\b', others)]
    return bad


def members(text, struct):
    """Names of the data members of a struct written one a line, several with commas."""
    body = text[text.index('struct ' + struct + ' {'):]
    names = []
    for line in body[:body.index('\n};')].split('\n')[1:]:
        line = re.sub(r'\{[^}]*\}', '', line.split('//')[0])
        m = re.match(r'\s+[\w:]+ (\w[^();]*);', line)
        names += [re.match(r'\w+', part).group(0) for part in re.split(r',\s*', m.group(1))] if m else []
    return names


def sample_file(root, sample, update):
    path = os.path.join(root, 'examples/config/full.conf')
    if update:
        with open(path, 'w') as f:
            f.write(sample)
    try:
        with open(path) as f:
            there = f.read()
    except OSError as e:
        return [str(e)]
    return [] if there == sample else ['examples/config/full.conf is not what the table says; run: tests/house/check.py . build/<preset>/tests/house/house_config --update']


def other_samples(root, tool):
    bad = []
    folder = os.path.join(root, 'examples/config')
    for name in sorted(os.listdir(folder) if os.path.isdir(folder) else []):
        if not name.endswith('.conf') or name == 'full.conf':
            continue
        said = subprocess.run([tool, 'check', os.path.join(folder, name)], capture_output=True, text=True)
        if said.returncode != 0:
            bad += said.stdout.splitlines() or [f'{name}: house_config failed']
    return bad


def main():
    root, tool = sys.argv[1], sys.argv[2]
    sample = subprocess.run([tool, 'sample'], capture_output=True, text=True, check=True).stdout
    files = read_tree(root)
    graph = includes(files)
    failed = False
    checks = [(c.__name__, c(files, graph)) for c in (arrows, written_from_the_root, cycles, pure, asio_is_linked, unfinished, sleeping, log_read_at_once, readmes, header_guards, metric_names)]
    rows = [tuple(line.split('\t')) for line in subprocess.run([tool, 'rows'], capture_output=True, text=True, check=True).stdout.splitlines()]
    checks += [('read_settings', read_settings(files, graph, rows)), ('setting_names', setting_names(files, graph, sample)), ('sample_file', sample_file(root, sample, '--update' in sys.argv)), ('other_samples', other_samples(root, tool))]
    for name, bad in checks:
        print(f'{"ok  " if not bad else "FAIL"} {name}')
        for line in bad:
            print('     ' + line)
        failed = failed or bool(bad)
    print(f'{len(graph)} source files, {sum(map(len, graph.values()))} includes between them')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
