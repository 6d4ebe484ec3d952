#!/usr/bin/env python3
"""Breaks the broker line by line and expects the test that names the duty to notice.

    tests/mutants/run.py [--scratch DIR] [--only ID] [--report FILE] [--duties | --defences]
    tests/mutants/run.py --check        every mutant finds its line, and tests/README.md lists the defences; builds nothing
    tests/mutants/run.py --table        prints that list

mutants.tsv has one mutant a line: duty, file, line, line instead; its test is `wire -tc=*[duty]*`. defences.tsv has the defences of
the catalogue of attacks (tests/README.md) taken away: ids, program, test, file, line, line instead. All are put into one scratch copy,
each behind a switch (AIRMAIL_MUTANT=N, which a daemon started by the test inherits), so that one build serves them all; then the test
runs once per mutant and has to fail. First every one of those tests has to pass with no mutant switched on.
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


def rows(name):
    with open(os.path.join(HERE, name), encoding='utf-8') as f:
        return [line.rstrip('\n').split('\t') for line in f if line.strip() and not line.startswith('#')]


def read():
    duties = [dict(duty=r[0], program='wire', test=f'*[{r[0]}]*', file=r[1], old=r[2], new=r[3] if len(r) > 3 else '', defence=False) for r in rows('mutants.tsv')]
    defences = [dict(duty=r[0], program=r[1], test=r[2], file=r[3], old=r[4], new=r[5] if len(r) > 5 else '', defence=True) for r in rows('defences.tsv')]
    return [dict(m, number=n) for n, m in enumerate(duties + defences, 1)]


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
    condition = re.fullmatch(r'if \((.*)\) \{', old)
    if condition:  # the head of a block: its condition is the choice
        ask = ''.join(f'airmail_mutant() == {m["number"]} ? ({re.fullmatch(r"if .(.*). {", m["new"]).group(1)}) : ' for m in mutants)
        return f'if ({ask}({condition.group(1)})) {{'
    label = re.match(r'case \S+: ', old)
    head = label.group(0) if label else ''
    body = lambda line: line[len(head):] if line.startswith(head) else line
    plain = lambda line: re.sub(r'\s*// .*$', '', body(line)) or ';'
    declared = re.match(r'(?:bool|auto) const \w+ = ', old)
    if declared:  # the name has to outlive the line
        value = lambda line: plain(line)[len(declared.group(0)):].rstrip(';')
        return declared.group(0) + ''.join(f'airmail_mutant() == {m["number"]} ? ({value(m["new"])}) : ' for m in mutants) + f'({value(old)});'
    made = re.fullmatch(r'(\w+) const (\w+)\{(.*)\};', plain(old))
    if made:  # so has this one's
        value = lambda line: made.group(1) + plain(line)[len(f'{made.group(1)} const {made.group(2)}'):].rstrip(';')
        return f'{made.group(1)} const {made.group(2)} = ' + ''.join(f'airmail_mutant() == {m["number"]} ? {value(m["new"])} : ' for m in mutants) + f'{value(old)};'
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


def path_of(scratch, program):
    for folder, _, names in os.walk(os.path.join(scratch, 'build/dev/tests')):
        if program in names:
            return os.path.join(folder, program)
    sys.exit(f'{program} was not built')


def run(program, test, number):
    """True when the test passes; a name that no test has is no pass."""
    environment = dict(os.environ, AIRMAIL_MUTANT=str(number))
    try:
        done = subprocess.run([program, f'-tc={test}'], env=environment, capture_output=True, text=True, timeout=180)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0 and not re.search(r'test cases:\s+0 ', done.stdout)


def table(mutants):
    """The defences as tests/README.md lists them."""
    lines = ['| ids | taken away | test that fails then |', '|---|---|---|']
    cell = lambda text: '`' + text.replace('|', '\\|') + '`'
    for m in sorted((m for m in mutants if m['defence']), key=lambda m: m['duty']):
        code = re.sub(r'\s*// .*$', '', m['old'])
        lines.append(f'| {m["duty"]} | {m["file"]}: {cell(code if len(code) <= 90 else code[:87] + "...")} | `{m["program"]}`, "{m["test"].rstrip("*")}" |'.replace('"*[', '"['))
    return '\n'.join(lines) + '\n'


def check(mutants):
    by_file = collections.defaultdict(list)
    for m in mutants:
        by_file[m['file']].append(m)
    for file, here in by_file.items():
        with open(os.path.join(ROOT, file), encoding='utf-8') as f:
            mutate(f.read(), here, file)
    with open(os.path.join(ROOT, 'tests/README.md'), encoding='utf-8') as f:
        text = f.read()
    if table(mutants) not in text:
        sys.exit('tests/README.md: the list of defences is not that of tests/mutants/defences.tsv; put in what `tests/mutants/run.py --table` prints')


def main():
    p = argparse.ArgumentParser()
    p.add_argument('--scratch', default=os.path.join(ROOT, 'build', 'mutants'))
    p.add_argument('--only')
    p.add_argument('--report')
    p.add_argument('--duties', action='store_true')
    p.add_argument('--defences', action='store_true')
    p.add_argument('--check', action='store_true')
    p.add_argument('--table', action='store_true')
    a = p.parse_args()
    mutants = read()
    if a.check:
        return check(mutants)
    if a.table:
        return print(table(mutants), end='')
    wanted = [m for m in mutants if (not a.only or a.only in m['duty'].split()) and not (a.duties and m['defence']) and not (a.defences and not m['defence'])]
    prepare(a.scratch, mutants)
    programs = sorted({m['program'] for m in wanted})
    subprocess.run([os.path.join(a.scratch, 'tools/build'), 'dev', *programs], check=True, stdout=sys.stderr)
    path = {name: path_of(a.scratch, name) for name in programs}
    mutants, lines, alive = wanted, [], 0
    for program, test in sorted({(m['program'], m['test']) for m in mutants}):
        if not run(path[program], test, 0):
            sys.exit(f'{program}: {test} fails without any mutant')
    begin = time.monotonic()
    for m in mutants:
        survived = run(path[m['program']], m['test'], m['number'])
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
