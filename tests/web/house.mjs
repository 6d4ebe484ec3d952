// A real broker with a real fleet for one test run: certificates, airmaild, airmail-sim, all in a temporary directory and
// on ports that the system chooses. Programs are ended by their own handles.
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const bin = process.env.AIRMAIL_BIN;
const program = { airmaild: join(bin, 'broker/airmaild'), airmailctl: join(bin, 'tools/airmailctl/airmailctl'), sim: join(bin, 'tools/airmail-sim/airmail-sim') };

const freePort = () =>
  new Promise((done) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => done(port));
    });
  });

/** Asks until the answer is true, or says what it waited for. */
export async function until(what, ask, seconds = 90) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const answer = await ask().catch(() => false);
    if (answer) return answer;
    if (Date.now() > end) throw new Error(`after ${seconds} s still not: ${what}`);
    await new Promise((on) => setTimeout(on, 100));
  }
}

export class House {
  dir = mkdtempSync(join(tmpdir(), 'airmail-web-'));
  running = [];
  kept = false;

  /** Runs airmailctl to its end; its standard output, or an error with what it said. */
  ctl(...args) {
    const done = spawnSync(program.airmailctl, ['--socket', join(this.dir, 'control.sock'), ...args], { encoding: 'utf8' });
    if (done.status !== 0) throw new Error(`airmailctl ${args.join(' ')}: ${done.stderr || done.stdout}`);
    return done.stdout;
  }

  json = (...args) => JSON.parse(this.ctl('--json', ...args));

  /** A REST call over the control socket: what airmailctl has no word for. */
  api(method, path, body) {
    return new Promise((done, fail) => {
      const ask = http.request({ socketPath: join(this.dir, 'control.sock'), path, method, headers: { Host: 'airmail', 'Content-Type': 'application/json' } }, (answer) => {
        let text = '';
        answer.on('data', (d) => (text += d)).on('end', () => done({ status: answer.statusCode, body: text ? JSON.parse(text) : null }));
      });
      ask.on('error', fail);
      ask.end(body ? JSON.stringify(body) : undefined);
    });
  }

  start(name, args) {
    const log = [];
    const child = spawn(program[name], args, { stdio: ['pipe', 'pipe', 'pipe'] });
    for (const out of [child.stdout, child.stderr]) out.on('data', (d) => log.push(d));
    const one = { name, child, text: () => Buffer.concat(log).toString(), ended: new Promise((done) => child.on('exit', done)) };
    this.running.push(one);
    return one;
  }

  /** `more`: lines of the configuration, before the listener. */
  async broker(more = '') {
    this.ctl('ca', 'init', '--dir', `${this.dir}/ca`);
    this.ctl('ca', 'server', '--dir', `${this.dir}/ca`, '--san', 'localhost', '--san', '127.0.0.1');
    this.mqtts = await freePort();
    this.https = await freePort();
    const metrics = await freePort();
    const ca = `${this.dir}/ca`;
    writeFileSync(`${this.dir}/airmail.conf`, `per_listener_settings true
${process.getuid() === 0 ? 'user root' : ''}
store_path ${this.dir}/data
store_map_size 1GiB
limit_disk_refuse 0
limit_disk_readonly 0
control_socket ${this.dir}/control.sock
http_bind 127.0.0.1
http_port ${this.https}
http_certfile ${ca}/server.crt
http_keyfile ${ca}/server.key
metrics_port ${metrics}
ota_url_base https://localhost:${this.https}
ota_url_keys ${ca}/keys/url_keys.json
ota_command_key ${ca}/keys/command.pem
ota_release_keys ${ca}/keys/release.pem.pub
ota_ack_timeout 10s
ota_probation 2s
ota_probation_heartbeats 2
ota_rollback_grace 5s
ota_retry_backoff 2s
${more}
listener ${this.mqtts} 127.0.0.1
device_listener true
cafile ${ca}/ca.crt
certfile ${ca}/server.crt
keyfile ${ca}/server.key
require_certificate true
`);
    this.metrics = metrics;
    await this.open();
    this.url = `https://localhost:${this.https}`;
  }

  /** Starts airmaild, and is back when it is ready. */
  async open() {
    this.daemon = this.start('airmaild', ['-c', `${this.dir}/airmail.conf`]);
    const ready = () => new Promise((done, fail) => http.get({ port: this.metrics, path: '/readyz' }, (a) => (a.resume(), done(a.statusCode === 200))).on('error', fail));
    await Promise.race([until('airmaild is ready', ready), this.daemon.ended.then((code) => Promise.reject(new Error(`airmaild ended with ${code}: ${this.daemon.text()}`)))]);
  }

  /** Rows straight into the registry, between two lives of the broker. Its triggers need the broker's own functions; it makes them anew. */
  async seed(rows) {
    await this.stop(this.daemon);
    const db = join(this.dir, 'data/registry.db');
    const sqlite = (input) => {
      const done = spawnSync('sqlite3', ['-bail', db], { input, encoding: 'utf8' });
      if (done.status !== 0) throw new Error(`sqlite3: ${done.error ?? done.stderr}`);
      return done.stdout;
    };
    const drop = sqlite("SELECT 'DROP TRIGGER \"' || name || '\";' FROM sqlite_schema WHERE type = 'trigger';");
    sqlite(`${drop} PRAGMA synchronous = OFF; BEGIN; ${rows} COMMIT;`);
    await this.open();
  }

  /** Simulated devices; `more` are further options of airmail-sim, `born` what they are at birth. */
  fleet(devices, more = [], prefix = 'tx-', born = { model: 'TX-100', firmware: 'v1.0.0', heartbeat: '1s' }) {
    const ca = `${this.dir}/ca`;
    return this.start('sim', ['--dir', `${this.dir}/devices-${prefix}`, '--devices', String(devices), '--prefix', prefix, '--model', born.model, '--firmware', born.firmware, '--host', 'localhost', '--port', String(this.mqtts), '--ca-dir', ca, '--command-key', `${ca}/keys/command.pem.pub`, '--release-key', `${ca}/keys/release.pem.pub`, '--seed', '7', '--heartbeat', born.heartbeat, '--install', '400ms', '--reboot', '400ms', '--confirm', '1s', ...more]);
  }

  /** A signed release of random bytes; its path. */
  release(version, mib, counter, model = 'TX-100') {
    const image = `${this.dir}/${model}-${version}.bin`;
    const bytes = Buffer.alloc(mib * 1048576);
    for (let i = 0; i < bytes.length; i += 4) bytes.writeUInt32LE((i * 2654435761 + counter) >>> 0, i);
    writeFileSync(image, bytes);
    this.ctl('firmware', 'sign', image, '--key', `${this.dir}/ca/keys/release.pem`, '--version', version, '--model', model, '--security-counter', String(counter), '-o', `${this.dir}/${model}-${version}.release`);
    return `${this.dir}/${model}-${version}.release`;
  }

  /** The one-time token of the first administrator, from what the broker has printed. */
  async setupToken() {
    return until('the broker prints the link of the first administrator', async () => /\/setup\?token=([\w.~-]+)/.exec(this.daemon.text())?.[1]);
  }

  /** Ends the broker as a power switch would, and starts it anew. */
  async killAndOpen() {
    this.daemon.child.kill('SIGKILL');
    await this.daemon.ended;
    this.running = this.running.filter((r) => r !== this.daemon);
    await this.open();
  }

  async stop(one) {
    one.child.kill('SIGTERM');
    await one.ended;
    this.running = this.running.filter((r) => r !== one);
  }

  async end() {
    for (const one of [...this.running].reverse()) await this.stop(one);
    if (!this.kept) rmSync(this.dir, { recursive: true, force: true });
  }
}
