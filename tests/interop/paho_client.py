#!/usr/bin/python3
"""Eclipse Paho 1.6 for Python against airmaild: 3.1.1 and 5, QoS 0-2, retained, will, session resume, TLS, reason codes."""
import os
import queue
import socket
import sys

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

PLAIN, TLS, DIR = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
PATIENCE = 20
failed = 0


def check(what, good, detail=""):
    global failed
    failed += not good
    print(("ok   " if good else "FAIL ") + what + ("" if good else f"  {detail}"), flush=True)


class Client:
    """A Paho client whose events are read from a queue."""

    def __init__(self, name, version, clean=True, expiry=0, will=None, device=None):
        v5 = version == mqtt.MQTTv5
        self.events = queue.Queue()
        self.messages = queue.Queue()
        self.c = mqtt.Client(name, **({} if v5 else {"clean_session": clean}), protocol=version)
        self.c.on_message = lambda c, u, m: self.messages.put(m)
        self.c.on_connect = lambda c, u, flags, rc, props=None: self.events.put(("connect", flags.get("session present"), rc))
        self.c.on_subscribe = lambda c, u, mid, granted, props=None: self.events.put(("subscribe", granted))
        self.c.on_publish = lambda c, u, mid: self.events.put(("publish", mid))
        self.c.on_disconnect = lambda c, u, rc, props=None: self.events.put(("disconnect", rc))
        if will:
            self.c.will_set(*will)
        if device:
            self.c.tls_set(f"{DIR}/ca.crt", f"{DIR}/{device}.crt", f"{DIR}/{device}.key")
        more = {}
        if v5:
            more["clean_start"] = clean
            more["properties"] = Properties(PacketTypes.CONNECT)
            more["properties"].SessionExpiryInterval = expiry
        self.c.connect("localhost", TLS if device else PLAIN, 60, **more)
        self.c.loop_start()
        _, self.present, self.rc = self.wait("connect")

    def wait(self, kind):
        while True:
            e = self.events.get(timeout=PATIENCE)
            if e[0] == kind:
                return e

    def subscribe(self, topic, qos):
        self.c.subscribe(topic, qos)
        return self.wait("subscribe")[1]

    def publish(self, topic, payload, qos=0, retain=False, properties=None):
        self.c.publish(topic, payload, qos, retain, properties)
        self.wait("publish")

    def receive(self):
        return self.messages.get(timeout=PATIENCE)

    def leave(self):
        self.c.disconnect()
        self.wait("disconnect")
        self.c.loop_stop()

    def vanish(self):
        """No DISCONNECT: the will is due."""
        self.c._thread_terminate = True
        self.c._sock.shutdown(socket.SHUT_RDWR)
        self.c.loop_stop()


def walk(version, word):
    a, b = Client(f"a-{word}", version), Client(f"b-{word}", version)
    for qos in (0, 1, 2):
        b.subscribe("walk", qos)
        a.publish("walk", f"{word} {qos}", qos)
        m = b.receive()
        check(f"{word} QoS {qos}", m.payload == f"{word} {qos}".encode() and m.qos == qos, (m.payload, m.qos))
        b.subscribe("back", qos)
        b.publish("back", b"\x00\xff" * 500, qos)
        check(f"{word} QoS {qos}, its own, binary", b.receive().payload == b"\x00\xff" * 500)
    a.publish("kept", "1", 1, True)
    c = Client(f"c-{word}", version)
    c.subscribe("kept", 1)
    m = c.receive()
    check(f"{word} retained", m.payload == b"1" and m.retain)
    a.publish("kept", "", 1, True)
    mortal = Client(f"mortal-{word}", version, will=("wills", f"gone {word}", 1))
    b.subscribe("wills", 1)
    mortal.vanish()
    check(f"{word} will", b.receive().payload == f"gone {word}".encode())

    keeper = Client(f"keeper-{word}", version, clean=False, expiry=3600)
    check(f"{word} no session at first", not keeper.present)
    keeper.subscribe("queue", 2)
    keeper.leave()
    for i in range(5):
        a.publish("queue", str(i), 1 + i % 2)
    keeper = Client(f"keeper-{word}", version, clean=False, expiry=3600)
    got = sorted(keeper.receive().payload.decode() for _ in range(5))
    check(f"{word} session resumes with its queue", bool(keeper.present) and got == list("01234"), (keeper.present, got))
    for one in (a, b, c, keeper):
        one.leave()


def exchange(version, word):
    """Rounds of a hundred: fifty at QoS 0 to 2 while the subscriber is there, fifty at QoS 1 and 2 while it is away; then its session
    resumes. Each comes exactly once. AIRMAIL_LONG=1: many rounds."""
    rounds = 100 if os.environ.get("AIRMAIL_LONG") else 3
    a = Client(f"x-{word}", version)
    good, keeper = True, Client(f"xk-{word}", version, clean=False, expiry=3600)
    keeper.subscribe("long", 2)
    for _ in range(rounds):
        seen = []
        for i in range(50):
            a.publish("long", str(i), i % 3)
        seen += [int(keeper.receive().payload) for _ in range(50)]
        keeper.leave()
        for i in range(50, 100):
            a.publish("long", str(i), 1 + i % 2)
        keeper = Client(f"xk-{word}", version, clean=False, expiry=3600)
        seen += [int(keeper.receive().payload) for _ in range(50)]
        good = good and bool(keeper.present) and sorted(seen) == list(range(100)) and keeper.messages.empty()
    check(f"{word} long exchange, each message once over many resumed sessions", good)
    keeper.leave()
    Client(f"xk-{word}", version).leave()
    a.leave()


def device(version, word):
    d = Client("sn-1", version, clean=False, expiry=3600, device="sn-1")
    operator = Client(f"op-{word}", version)
    d.subscribe("devices/sn-1/command", 1)
    operator.publish("devices/sn-1/command", "do it", 1)
    check(f"{word} TLS with a client certificate", d.receive().payload == b"do it")
    granted = d.subscribe("devices/sn-2/command", 1)
    check(f"{word} another's topic is refused", (granted[0].value if hasattr(granted[0], "value") else granted[0]) >= 128, granted)
    d.leave()
    operator.leave()


def properties():
    a, b = Client("pa", mqtt.MQTTv5), Client("pb", mqtt.MQTTv5)
    b.subscribe("props", 1)
    p = Properties(PacketTypes.PUBLISH)
    p.ContentType, p.ResponseTopic, p.CorrelationData = "application/json", "answers", b"\x01\x02"
    p.MessageExpiryInterval = 100
    p.UserProperty = [("k", "1"), ("k", "2")]
    a.publish("props", "{}", 1, properties=p)
    q = b.receive().properties
    check("v5 properties arrive", (q.ContentType, q.ResponseTopic, q.CorrelationData, q.UserProperty) == ("application/json", "answers", b"\x01\x02", [("k", "1"), ("k", "2")]), str(q))
    check("v5 expiry counts down", 90 <= q.MessageExpiryInterval <= 100, q.MessageExpiryInterval)
    a.leave()
    b.leave()


walk(mqtt.MQTTv311, "3.1.1")
walk(mqtt.MQTTv5, "5")
exchange(mqtt.MQTTv311, "3.1.1")
exchange(mqtt.MQTTv5, "5")
device(mqtt.MQTTv311, "3.1.1")
device(mqtt.MQTTv5, "5")
properties()
print(f"{failed} failed")
sys.exit(1 if failed else 0)
