#!/usr/bin/env python3
"""Breaks the broker line by line and expects the test that names the duty to notice.

    tests/mutants/run.py [--scratch DIR] [--only ID] [--report FILE]

mutants.tsv has one mutant a line: duty, file, line, line instead. All are put into one scratch copy, each behind a switch
(AIRMAIL_MUTANT=N), so that one build serves them all; then `wire -tc=*[duty]*` runs once per mutant and has to fail. First
every one of those tests has to pass with no mutant switched on.
"""
import argparse
import collections
import os
import re
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))


def read():
    with open(os.path.join(HERE, 'mutants.tsv'), encoding='utf-8') as f:
        rows = [line.rstrip('\n').split('\t') for line in f if line.strip() and not line.startswith('#')]
    return [dict(number=n, duty=r[0], file=r[1], old=r[2], new=r[3] if len(r) > 3 else '') for n, r in enumerate(rows, 1)]


def names_of_tree():
    """Tracked and new files."""
    names = subprocess.run(['git', 'ls-files', '-co', '--exclude-standard', '-z'], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split('\0')
    return {n for n in names if n and os.path.isfile(os.path.join(ROOT, n))}


def put(path, text):
    """Writes what has changed only: a second run builds little."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    try:
        with open(path, 'rb') as f:
            if f.read() == text:
                return
    except OSError:
        pass
    with open(path, 'wb') as f:
        f.write(text)


def switched(old, mutants):
    """One line as a choice: `if (airmail_mutant() == 7) { ... } else { ... }`; the label of a `case` stays in front."""
    label = re.match(r'case \S+: ', old)
    head = label.group(0) if label else ''
    body = lambda line: line[len(head):] if line.startswith(head) else line
    plain = lambda line: re.sub(r'\s*// .*$', '', body(line)) or ';'
    declared = re.match(r'(?:bool|auto) const \w+ = ', old)
    if declared:  # the name has to outlive the line
        value = lambda line: plain(line)[len(declared.group(0)):].rstrip(';')
        return declared.group(0) + ''.join(f'airmail_mutant() == {m["number"]} ? ({value(m["new"])}) : ' for m in mutants) + f'({value(old)});'
    out = head
    for m in mutants:
        out += f'if (airmail_mutant() == {m["number"]}) {{ {plain(m["new"])} }} else '
    return out + '{ ' + plain(old) + ' }'


def mutate(text, mutants, file):
    lines = text.split('\n')
    by_line = collections.defaultdict(list)
    for m in mutants:
        at = [i for i, line in enumerate(lines) if line.strip() == m['old']]
        if len(at) != 1:
            sys.exit(f'mutants.tsv: {m["duty"]}: {file} has {len(at)} lines `{m["old"]}`, wanted one')
        by_line[at[0]].append(m)
    for i, here in by_line.items():
        indent = lines[i][:len(lines[i]) - len(lines[i].lstrip())]
        lines[i] = indent + switched(lines[i].strip(), here)
    first = next(i for i, line in enumerate(lines) if line.startswith(('#pragma once', '#include')))
    lines.insert(first + 1, '#include "tests/mutants/which.hpp"')
    return '\n'.join(lines)


def prepare(scratch, mutants):
    by_file = collections.defaultdict(list)
    for m in mutants:
        by_file[m['file']].append(m)
    for name in names_of_tree():
        with open(os.path.join(ROOT, name), 'rb') as f:
            text = f.read()
        if name in by_file:
            text = mutate(text.decode(), by_file[name], name).encode()
        put(os.path.join(scratch, name), text)
        if text.startswith(b'#!'):
            os.chmod(os.path.join(scratch, name), 0o755)


def run(program, duty, number):
    """True when the test passes."""
    environment = dict(os.environ, AIRMAIL_MUTANT=str(number))
    try:
        return subprocess.run([program, f'-tc=*[{duty}]*'], env=environment, capture_output=True, timeout=120).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def main():
    p = argparse.ArgumentParser()
    p.add_argument('--scratch', default=os.path.join(ROOT, 'build', 'mutants'))
    p.add_argument('--only')
    p.add_argument('--report')
    a = p.parse_args()
    mutants = read()
    prepare(a.scratch, mutants)
    subprocess.run([os.path.join(a.scratch, 'tools/build'), 'dev', 'wire'], check=True, stdout=sys.stderr)
    program = os.path.join(a.scratch, 'build/dev/tests/wire/wire')
    if a.only:
        mutants = [m for m in mutants if m['duty'] == a.only]
    lines, alive = [], 0
    for duty in sorted({m['duty'] for m in mutants}):
        if not run(program, duty, 0):
            sys.exit(f'the test of [{duty}] fails without any mutant')
    begin = time.monotonic()
    for m in mutants:
        survived = run(program, m['duty'], m['number'])
        alive += survived
        lines.append(f'{"SURVIVED" if survived else "killed"}\t{m["duty"]}\t{m["file"]}\t{m["old"]}')
        print(lines[-1], flush=True)
    total = f'{len(mutants) - alive} of {len(mutants)} mutants killed in {time.monotonic() - begin:.0f} s'
    print(total)
    if a.report:
        with open(a.report, 'w', encoding='utf-8') as f:
            f.write('\n'.join(lines + [total]) + '\n')
    return 1 if alive else 0


if __name__ == '__main__':
    sys.exit(main())
