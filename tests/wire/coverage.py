#!/usr/bin/env python3
"""The table duty -> tests, from what the test programs themselves list; fails on a duty that no test names.

    coverage.py DUTIES PROGRAM... [--table FILE]
"""
import argparse
import collections
import re
import subprocess
import sys

ID = re.compile(r'\[((?:3\.1\.1 |3\.1 )?MQ[A-Za-z]+-[0-9a-z.]+(?:-\d+)?)\]')


def duties(path):
    with open(path, encoding='utf-8') as f:
        return [line.rstrip('\n').split('\t') for line in f if line.strip() and not line.startswith('#')]


def tests(programs):
    """Names of test cases by the id that they carry in brackets."""
    found = collections.defaultdict(list)
    for program in programs:
        listed = subprocess.run([program, '--list-test-cases', '--no-colors=true'], capture_output=True, text=True, check=True).stdout
        name = program.rsplit('/', 1)[-1]
        for line in listed.splitlines():
            for duty in ID.findall(line):
                found[duty].append(f'{name}: {line.strip()}')
    return found


def main():
    p = argparse.ArgumentParser()
    p.add_argument('duties')
    p.add_argument('programs', nargs='+')
    p.add_argument('--table')
    p.add_argument('--no-websocket', action='store_true', help='this build has no WebSocket tests')
    a = p.parse_args()
    rows, named = duties(a.duties), tests(a.programs)
    known = {r[0] for r in rows}
    table = [f'{r[0]}\t{len(named[r[0]])}\t{r[2]}\t{" | ".join(named[r[0]])}' for r in rows]
    if a.table:
        with open(a.table, 'w', encoding='utf-8') as f:
            f.write('\n'.join(table) + '\n')
    bare = [r for r in rows if not named[r[0]] and not (a.no_websocket and '(websocket)' in r[2])]
    for r in bare:
        print(f'no test names [{r[0]}]: {r[2]}')
    for duty in sorted(set(named) - known):
        if not duty.startswith('3.1.1') and named[duty][0].startswith('wire'):
            print(f'[{duty}] is named by a test and is no duty in {a.duties}: {named[duty][0]}')
            bare.append(duty)
    print(f'{len(rows) - len([b for b in bare if isinstance(b, list)])} of {len(rows)} duties have tests, {sum(map(len, named.values()))} times in all')
    return 1 if bare else 0


if __name__ == '__main__':
    sys.exit(main())
