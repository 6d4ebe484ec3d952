#!/usr/bin/python3
"""The interop matrix: which client did what with our broker, from what the scripts of the same run said.

Usage: matrix.py FOLDER; reads FOLDER/*.log, prints and writes FOLDER/matrix.md. Fails when a cell failed.
"""
import pathlib
import re
import sys

CLIENTS = [
    ("mosquitto", "mosquitto_pub, _sub"), ("libmosquitto", "libmosquitto"), ("paho_c", "Paho C"), ("paho_c/WebSocket", "Paho C, ws"), ("paho", "Paho Python"),
    ("mqttjs/tcp", "MQTT.js, TCP"), ("mqttjs/ws", "MQTT.js, ws"), ("mqttjs/wss", "MQTT.js, wss"),
]
FEATURES = [("QoS 0", r"QoS 0"), ("QoS 1", r"QoS 1"), ("QoS 2", r"QoS 2"), ("retained", r"retained"), ("will", r"will"), ("resume, queued", r"session resumes"), ("exchange", r"long exchange"), ("mTLS", r"TLS with a client cert")]
VERSIONS = {"mqttv311": "3.1.1", "3.1.1": "3.1.1", "mqttv5": "5", "5": "5"}


def read(folder):
    """(client, version, feature) -> all its checks were ok."""
    cells = {}
    for path in sorted(folder.glob("*.log")):
        part = path.stem
        for line in path.read_text(errors="replace").splitlines():
            if line.startswith("over "):
                part = path.stem + "/" + line[5:].strip()
            found = re.match(r"(ok|FAIL)\s+(mqttv311|mqttv5|3\.1\.1|5) (.*)", line)
            if not found:
                continue
            for name, pattern in FEATURES:
                if re.search(pattern, found[3]):
                    at = (part, VERSIONS[found[2]], name)
                    cells[at] = cells.get(at, True) and found[1] == "ok"
    return cells


def main():
    folder = pathlib.Path(sys.argv[1])
    cells = read(folder)
    rows = []
    for key, title in CLIENTS:
        for version in ("3.1.1", "5"):
            marks = [{True: "ok", False: "FAILED", None: "-"}[cells.get((key, version, f))] for f, _ in FEATURES]
            rows.append([title, version, *marks])
    head = ["client", "MQTT", *(f for f, _ in FEATURES)]
    widths = [max(len(r[i]) for r in [head, *rows]) for i in range(len(head))]
    lines = ["| " + " | ".join(c.ljust(w) for c, w in zip(r, widths)) + " |" for r in [head, *rows]]
    lines.insert(1, "|" + "|".join("-" * (w + 2) for w in widths) + "|")
    text = "\n".join(lines) + "\n"
    (folder / "matrix.md").write_text(text)
    print(text, end="")
    if not cells:
        print("no interop test has run")
        sys.exit(77)
    sys.exit(1 if False in cells.values() else 0)


main()
