#!/usr/bin/python3
"""A device for Airmail, whole, on paho-mqtt and python3-cryptography.

    airmailctl device add dev-1 --model TX-100 --bundle dev-1.pem --ca-dir CA --host broker.example
    ./device.py dev-1.pem --dir /var/lib/dev-1 --model TX-100

DIR/slot_a and slot_b stand for the two partitions, DIR/state.json for what a boot loader and a few bytes of flash
remember. Whatever happens between two lines of this program, the next start goes on from state.json.
"""
import argparse, base64, hashlib, json, os, queue, re, ssl, subprocess, sys, threading, time, urllib.error, urllib.request, uuid
import paho.mqtt.client as mqtt
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key


class Refused(Exception):
    """Ends an update; the text is one of the reasons of examples/README.md."""


class Stale(Exception):
    """An old command, or another device's: not answered."""


# --- Trust: DSSE envelopes and keys.json -------------------------------------------------------------------------------------

def opened(envelope, kind, keys, role):
    """The payload of an envelope, once enough different keys of `role` have signed exactly these bytes."""
    try:
        payload = base64.b64decode(envelope["payload"], validate=True)
        signed = b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(payload), payload)
        if envelope["type"] != kind:
            raise Refused("signature_invalid")
        good, trusted = set(), set(keys["roles"][role]["kids"]) - set(keys.get("revoked", []))
        for s in envelope["sigs"]:
            if s["kid"] not in trusted:
                continue                                   # a key we do not know (yet) says nothing
            key = load_der_public_key(base64.b64decode(keys["keys"][s["kid"]]["public"]))
            try:
                how = () if s["alg"] == "ed25519" else (ec.ECDSA(hashes.SHA256()),)
                key.verify(base64.b64decode(s["sig"]), signed, *how)
                good.add(s["kid"])
            except InvalidSignature:
                pass
        if len(good) < keys["roles"][role]["threshold"]:
            raise Refused("signature_invalid")
        return payload
    except (KeyError, TypeError, ValueError):
        raise Refused("signature_invalid")


def rotated(keys, envelope):
    """keys.json N+1, signed by the roots of N and by its own; otherwise the list we have."""
    try:
        new = json.loads(opened(envelope, "ota.keys.v1", keys, "root"))
        opened(envelope, "ota.keys.v1", new, "root")
        return new if new["version"] == keys["version"] + 1 and time.time() < new["expires"] else keys
    except (Refused, KeyError, TypeError, ValueError):
        return keys


def numbers(version):
    return [int(n) for n in re.findall(r"\d+", version)]


# --- The device --------------------------------------------------------------------------------------------------------------

class Device:
    def __init__(self, options):
        self.o, self.file = options, os.path.join(options.dir, "state.json")
        os.makedirs(options.dir, mode=0o700, exist_ok=True)
        text = open(options.bundle).read()
        head = dict(re.findall(r"^Airmail-(\w+): (.*)$", text, re.M))
        self.id, (self.host, self.port) = head["Device"], head["Broker"].rsplit(":", 1)
        self.tls = ssl.create_default_context(cafile=options.bundle)
        self.tls.load_cert_chain(options.bundle)
        self.s = {"active": "a", "versions": {"a": options.version, "b": ""}, "stage": "idle", "seq": 0, "counter": 0,
                  "last_command_id": "", "last_result": "", "settings": {},
                  "keys": json.loads(base64.b64decode(json.loads(base64.b64decode(head["Keys"]))["payload"]))}
        if os.path.exists(self.file):
            self.s.update(json.load(open(self.file)))
        self.work, self.stop, self.fresh_url, self.lock = queue.Queue(), threading.Event(), queue.Queue(), threading.RLock()
        self.boot_id, self.born = uuid.uuid4().hex, time.time()
        self.mqtt = mqtt.Client(self.id, protocol=mqtt.MQTTv5)
        self.mqtt.tls_set_context(self.tls)
        self.mqtt.on_connect = self.connected
        self.mqtt.on_disconnect = lambda _, __, ___, properties=None: self.hold_off(properties)
        self.mqtt.on_subscribe = lambda *_: self.work.put(("here", None))
        self.mqtt.on_message = self.message

    def save(self):
        with self.lock:
            with open(self.file + ".new", "w") as f:
                json.dump(self.s, f)
                f.flush(), os.fsync(f.fileno())
            os.replace(self.file + ".new", self.file)

    def spare(self):
        return "b" if self.s["active"] == "a" else "a"

    def slot(self, name):
        return os.path.join(self.o.dir, "slot_" + name)

    def running(self):
        return self.s["versions"][self.s["active"]]

    def publish(self, leaf, **fields):
        return self.mqtt.publish(f"devices/{self.id}/{leaf}", json.dumps(fields), qos=1)

    def heartbeat(self):
        self.publish("heartbeat", serial_no=self.id, model=self.o.model, current_firmware=self.running(), timestamp=int(time.time()),
                     boot_id=self.boot_id, boot_slot=self.s["active"], counter=self.s["counter"], keys_version=self.s["keys"]["version"],
                     uptime_s=int(time.time() - self.born), last_command_id=self.s["last_command_id"], last_result=self.s["last_result"])

    def status(self, word, c, **more):
        print(self.id, word, more or "", flush=True)
        return self.publish("status", campaign_id=c["campaign_id"], command_id=c.get("command_id", ""), status=word, timestamp=int(time.time()), **more)

    # --- What comes, on paho's thread: quick answers here, an update goes to the main thread -----------------------------------

    def hold_off(self, properties):
        """Sent away, and told for how long: this is the thread that would come back."""
        told = dict(getattr(properties, "UserProperty", [])).get("retry_after_s", "")
        if told.isdigit():
            time.sleep(min(int(told), 600))

    def connected(self, client, _, __, code, properties=None):
        if code != 0:
            return self.hold_off(properties)
        client.subscribe([(f"devices/{self.id}/command", 1), ("ota/keys", 1)])

    def message(self, _, __, m):
        try:
            c = json.loads(m.payload)
            if m.topic == "ota/keys":
                self.s["keys"] = rotated(self.s["keys"], c)
                return self.save(), self.heartbeat()
            with self.lock:
                getattr(self, "do_" + c["command"], self.do_other)(c)
        except (ValueError, KeyError, TypeError, Refused, Stale) as e:
            print(self.id, "passed over:", repr(e), flush=True)

    def do_ota_update(self, c):
        if c["command_id"] == self.s.get("command", {}).get("command_id"):
            return self.fresh_url.put(c["url"])                            # under way: the same again, perhaps with a fresh URL
        if c["command_id"] == self.s["last_command_id"]:
            return self.tell_again(c)
        if self.s["stage"] == "idle":
            self.work.put(("update", c))

    def do_cancel(self, c):
        if self.s["stage"] == "idle":
            return self.tell_again(c) if c["command_id"] == self.s["last_command_id"] else self.status("cancelled", c, reason="cancelled")
        if c["command_id"] != self.s["command"]["command_id"]:
            return
        self.check_command(c)
        if self.s["stage"] == "downloading":
            return self.stop.set(), self.fresh_url.put("")                 # answered where it stops
        self.status("too_late", c)

    def do_url(self, c):
        if c["command_id"] == self.s.get("command", {}).get("command_id"):
            self.fresh_url.put(c["url"])

    def do_report(self, _):
        self.heartbeat()

    def do_verify_only(self, c):                                           # a rehearsal: would we believe this release?
        try:
            self.check_command(c, remember=False), self.check_release(c)
            self.status("accepted", c)
        except Refused as e:
            self.status("rejected", c, reason=str(e))

    def do_other(self, c):
        """An operator's own command: done once for each command_id; a word we do not know is refused."""
        if "envelope" not in c or c["command_id"] == self.s.get("other", {}).get("command_id"):
            return self.publish("status", **self.s["other"]["told"]) if "envelope" in c else None
        self.check_command(c)
        told = {"campaign_id": c["campaign_id"], "command_id": c["command_id"], "status": "rejected", "reason": "unknown command"}
        if c["command"] == "identify":
            told = {**told, "status": "completed", "reason": "", "result": {"machine": os.uname().machine, "system": os.uname().sysname, "said": c.get("params", {})}}
        self.s["other"] = {"command_id": c["command_id"], "told": told}
        self.save(), self.publish("status", **told)

    def do_config(self, c):
        for key, value in c["settings"].items():
            self.publish("notify", setting_changed=key, old_value=self.s["settings"].get(key, ""), new_value=value, timestamp=int(time.time()))
            self.s["settings"][key] = value
        self.save()

    def tell_again(self, c):
        plain = self.s["last_result"] in ("completed", "rollback", "cancelled")
        self.status(self.s["last_result"] if plain else "failed", c, **({} if plain else {"reason": self.s["last_result"], "error": self.s["last_result"]}))

    # --- Judgement --------------------------------------------------------------------------------------------------------------

    def check_command(self, c, remember=True):
        """The online key's word: for this device, not older than what we have obeyed, not expired, and the same as the plain fields."""
        signed = json.loads(opened(c.get("envelope"), "ota.command.v1", self.s["keys"], "command"))
        if signed["device_id"] != self.id or signed["seq"] <= self.s["seq"]:
            raise Stale("an old command, or another device's")
        if time.time() > signed["expires_at"]:
            raise Refused("url_expired")
        if any(k in signed and signed[k] != c.get(k) for k in ("command", "command_id", "campaign_id", "version", "checksum", "size_bytes")):
            raise Refused("signature_invalid")
        if remember:
            self.s["seq"] = signed["seq"]
        return signed

    def check_release(self, c):
        """The release key's word, which the broker cannot give: what the image is, for whom, and not older than ours."""
        signed = json.loads(base64.b64decode(c["envelope"]["payload"]))
        payload = opened(c.get("manifest"), "ota.release.v1", self.s["keys"], "release")
        m = json.loads(payload)
        if hashlib.sha256(payload).hexdigest() != signed.get("manifest_sha256") or m["version"] != c["version"]:
            raise Refused("signature_invalid")
        if self.o.model not in m["model"]:
            raise Refused("incompatible")
        if m["security_counter"] < self.s["counter"]:
            raise Refused("downgrade_refused")
        if m.get("min_from_version") and numbers(self.running()) < numbers(m["min_from_version"]):
            raise Refused("incompatible")
        if m.get("expires") and time.time() > m["expires"]:
            raise Refused("manifest_expired")
        return m

    # --- One update, on the main thread ----------------------------------------------------------------------------------------

    def update(self, c):
        try:
            if self.s["stage"] == "idle":
                self.check_command(c)
                m = self.check_release(c)
                if c["size_bytes"] > os.statvfs(self.o.dir).f_bavail * os.statvfs(self.o.dir).f_frsize:
                    raise Refused("no_space")
                open(self.slot(self.spare()), "wb").close()
                self.s.update(stage="downloading", command=c, image=m["components"][0], release_counter=m["security_counter"])
                self.save()
                self.status("accepted", c)
            self.stop.clear()
            self.download(c)
            self.status("verifying", c)
            self.check_image(c)
            with self.lock:
                if self.stop.is_set():
                    raise Refused("cancelled")
                self.s["stage"] = "installing"                             # from here on a cancel is too late
                self.save()
            self.status("installing", c)
            time.sleep(self.o.install_seconds)                             # flash here
            self.s["versions"][self.spare()] = c["version"]
            self.s.update(active=self.spare(), stage="testing")            # the boot loader's "try once"
            self.save()
            self.status("rebooting", c).wait_for_publish(5)
            self.reboot()
        except Stale as e:
            print(self.id, e, flush=True)
        except Refused as e:
            self.ended(str(e), c)

    def download(self, c):
        """Into the spare slot, from where we stopped; never more than was signed. A URL that has expired is asked for anew."""
        path, url, tries = self.slot(self.spare()), c["url"], 0
        while (have := os.path.getsize(path)) < c["size_bytes"]:
            self.status("downloading", c, progress=have * 100 // c["size_bytes"], bytes=have)
            try:
                ask = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
                with urllib.request.urlopen(ask, context=self.tls, timeout=30) as reply, open(path, "ab" if have else "wb") as out:
                    if have and reply.status != 206:
                        out.truncate(0)                                    # it does not know ranges: from the start
                    told = have
                    while piece := reply.read(65536):
                        if self.stop.is_set():
                            raise Refused("cancelled")
                        if out.tell() + len(piece) > c["size_bytes"]:
                            raise Refused("checksum_mismatch")
                        out.write(piece)
                        if out.tell() - told > c["size_bytes"] // 4:
                            told = out.tell()
                            self.status("downloading", c, progress=told * 100 // c["size_bytes"], bytes=told)
            except urllib.error.HTTPError as e:
                if e.code not in (403, 410) or tries > 5:
                    raise Refused("download_error")
                self.publish("request", request="url", command_id=c["command_id"])
                try:
                    url = self.fresh_url.get(timeout=20)
                except queue.Empty:
                    raise Refused("url_expired")
            except OSError as e:
                print(self.id, "download cut:", e, flush=True)
                time.sleep(min(30, 0.2 * 2 ** tries))
            if self.stop.is_set():
                raise Refused("cancelled")
            tries += 1
            if tries > 12:
                raise Refused("download_error")

    def check_image(self, c):
        data = open(self.slot(self.spare()), "rb").read()                  # a real device hashes its partition in pieces
        image = data[:self.s["image"]["size"]]
        if "sha256:" + hashlib.sha256(data).hexdigest() != c["checksum"]:
            raise Refused("checksum_mismatch")
        if hashlib.sha256(image).hexdigest() != self.s["image"]["sha256"].removeprefix("sha256:"):
            raise Refused("signature_invalid")                             # not the bytes that the release key has signed

    def reboot(self):
        self.mqtt.disconnect(), self.mqtt.loop_stop()
        os.execv(sys.executable, [sys.executable] + sys.argv)

    def ended(self, result, c):
        """The last word of an update; remembered, so that it can be told again."""
        self.s.update(stage="idle", command={}, last_command_id=c["command_id"], last_result=result)
        self.save()
        self.tell_again(c)

    def first_words(self):
        """Connected and subscribed. In a new slot this is the moment of truth: confirm it, or go back."""
        stage, c = self.s["stage"], self.s.get("command", {})
        if stage == "testing":
            if subprocess.call(self.o.self_test, shell=True) != 0:
                self.s.update(active=self.spare(), stage="rolled_back")
                self.save()
                return self.reboot()
            self.s["counter"] = max(self.s["counter"], self.s["release_counter"])       # only now: the old slot could still have been needed
            self.heartbeat(), self.ended("completed", c)
        elif stage == "rolled_back":
            self.heartbeat()
            self.status("rollback", c, current_firmware=self.running(), failed_firmware=c["version"], error="self_test")
            self.s.update(stage="idle", command={}, last_command_id=c["command_id"], last_result="rollback")
            self.save()
        else:
            self.heartbeat()
            if stage == "installing":                                      # power went while flashing: the image is whole, again
                self.s["stage"] = "downloading"
            if stage in ("downloading", "installing"):
                self.update(c)

    def run(self):
        self.mqtt.connect_async(self.host, int(self.port), keepalive=60)
        self.mqtt.loop_start()
        while True:
            try:
                what, c = self.work.get(timeout=self.o.heartbeat)
            except queue.Empty:
                self.heartbeat()
                continue
            self.first_words() if what == "here" else self.update(c)


if __name__ == "__main__":
    a = argparse.ArgumentParser()
    a.add_argument("bundle")
    a.add_argument("--dir", required=True), a.add_argument("--model", required=True)
    a.add_argument("--version", default="v1.0.0", help="what slot a holds on the first day")
    a.add_argument("--heartbeat", type=float, default=300), a.add_argument("--install-seconds", type=float, default=1)
    a.add_argument("--self-test", default="true", help="a shell command; failure goes back to the old slot")
    Device(a.parse_args()).run()
