// A hundred thousand devices in the list (tools/test --long): only rows in view exist, scrolling stays smooth, and the last
// device is reached along the cursor.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openBrowser, picture } from './browser.mjs';
import { House, until } from './house.mjs';

const devices = 100_000;
const password = 'correct horse battery staple';
const skip = process.env.AIRMAIL_LONG ? false : 'only with AIRMAIL_LONG=1';
const house = new House();
let context;
let page;

const serial = (n) => `ll-${String(n).padStart(6, '0')}`;

before(async () => {
  if (skip) return;
  await house.broker();
  for (let from = 0; from < devices; from += 5000) {
    const batch = Array.from({ length: 5000 }, (_, i) => ({ serial_no: serial(from + i), model: i % 3 ? 'TX-100' : 'TX-200' }));
    const { status, body } = await house.api('POST', '/api/v1/devices/import', { devices: batch });
    assert.equal(status, 200, JSON.stringify(body));
  }
  ({ context, page } = await openBrowser());
  await page.goto(`${house.url}/setup?token=${await house.setupToken()}`);
  await page.getByLabel('Password', { exact: true }).fill(password);
  await page.getByLabel('Once more').fill(password);
  await page.getByRole('button', { name: 'Make the administrator' }).click();
  await page.getByRole('heading', { name: 'Fleet', level: 1 }).waitFor();
});
after(async () => {
  await context?.close();
  await house.end();
});

test('a hundred thousand rows: few exist, and wheeling through them keeps its frames', { skip }, async () => {
  await page.goto(`${house.url}/devices`);
  await page.getByText(`${devices.toLocaleString('en-US')} devices`).waitFor();
  await page.getByText(serial(0), { exact: true }).waitFor();
  await page.locator('.list').hover();
  await page.evaluate(() => {
    window.frames_ = [];
    let last = performance.now();
    const tick = (now) => (window.frames_.push(now - last), (last = now), requestAnimationFrame(tick));
    requestAnimationFrame(tick);
  });
  let most = 0;
  for (let i = 0; i < 120; i++) {
    await page.mouse.wheel(0, 400);
    if (i % 20 === 0) most = Math.max(most, await page.locator('.row').count());
  }
  const frames = (await page.evaluate(() => window.frames_)).sort((a, b) => a - b);
  console.log(`frames while wheeling: median ${frames[frames.length >> 1].toFixed(1)} ms, p95 ${frames[Math.floor(frames.length * 0.95)].toFixed(1)} ms, worst ${frames.at(-1).toFixed(1)} ms; at most ${most} rows in the page`);
  assert.ok(most > 10 && most < 100, `${most} rows exist`);
});

test('the last device is reached, though the cursor only goes forward', { skip }, async () => {
  const begun = Date.now();
  await page.evaluate(() => {
    const list = document.querySelector('.list');
    list.scrollTop = list.scrollHeight;
  });
  await until('the last row is here', async () => page.getByText(serial(devices - 1), { exact: true }).isVisible(), 120);
  console.log(`the last of ${devices} rows after ${((Date.now() - begun) / 1000).toFixed(1)} s`);
  await picture(page, 'long-list');
});

test('typing finds one in a hundred thousand', { skip }, async () => {
  await page.keyboard.press('/');
  const begun = Date.now();
  await page.keyboard.type('ll-07654');
  await page.getByText('10 devices', { exact: true }).waitFor();
  console.log(`filtered ${Date.now() - begun} ms after the first letter`);
});
