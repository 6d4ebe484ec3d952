#!/usr/bin/python3
"""The AsyncAPI file holds together: required parts, every reference, and the words that the programs use are in its lists. Exit 77: no PyYAML."""
import re
import sys

try:
    import yaml
except ImportError:
    print('left out: python3-yaml is not installed')
    sys.exit(77)

root = sys.argv[1] + '/examples/device_client/'
text = open(root + 'asyncapi.yaml').read()
doc = yaml.safe_load(text)
bad = []


def resolve(ref):
    at = doc
    for part in ref.removeprefix('#/').split('/'):
        at = at.get(part) if isinstance(at, dict) else None
    return at


bad += [f'{ref} leads nowhere' for ref in re.findall(r"\$ref: '([^']+)'", text) if resolve(ref) is None]
bad += [f'{name} is missing' for name in ('asyncapi', 'info', 'channels') if name not in doc]
for name, channel in doc['channels'].items():
    if not channel.get('publish') and not channel.get('subscribe'):
        bad.append(f'{name}: neither publish nor subscribe')
    bad += [f'{name}: parameter {p} is not described' for p in re.findall(r'{(\w+)}', name) if p not in channel.get('parameters', {})]
for name, schema in doc['components']['schemas'].items():
    bad += [f'{name}: {m} is required and not described' for m in schema.get('required', []) if m not in schema.get('properties', {})]
words = doc['components']['schemas']['status']['properties']
for path, pattern, known in (('python/device.py', r'self\.status\("(\w+)"', words['status']['enum']), ('python/device.py', r'Refused\("(\w+)"', words['reason']['enum']),
                             ('cpp/device.cpp', r'status\(c, "(\w+)"', words['status']['enum']), ('cpp/device.cpp', r'refused\{"(\w+)"\}', words['reason']['enum']),
                             ('c/device.c', r'status\(c, "(\w+)"', words['status']['enum']), ('shell/device.sh', r'status "\$(?:c|1|line)" (\w+)', words['status']['enum'])):
    bad += [f'{path}: {w} is not in asyncapi.yaml' for w in sorted(set(re.findall(pattern, open(root + path).read())) - set(known))]
print('\n'.join(bad) or f"{len(doc['channels'])} channels, {len(doc['components']['schemas'])} schemas")
sys.exit(1 if bad else 0)
