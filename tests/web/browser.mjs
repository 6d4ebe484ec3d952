// Debian's Chromium, driven by playwright-core out of the page's own node_modules; and what is asked of every page: no
// message on the console (the policy's refusals come there), nothing that axe finds, a picture.
import { mkdirSync, mkdtempSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import assert from 'node:assert/strict';

const require = createRequire(new URL('../../plugins/dashboard/web/', import.meta.url));
const { chromium } = require('playwright-core');
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
const pictures = process.env.AIRMAIL_PICTURES ?? join(tmpdir(), 'airmail-web-pictures');
mkdirSync(pictures, { recursive: true });

const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
export const looks = {
  light: { colorScheme: 'light', viewport: { width: 1360, height: 860 } },
  dark: { colorScheme: 'dark', viewport: { width: 1360, height: 860 } },
  phone: { colorScheme: 'light', viewport: { width: 390, height: 844 } },
};

/** A browser with a profile of its own; `page.told` is what its console said that is worth a look. */
export async function openBrowser(look = looks.light) {
  const context = await chromium.launchPersistentContext(mkdtempSync(join(tmpdir(), 'airmail-chromium-')), { executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: flags, ignoreHTTPSErrors: true, timezoneId: 'Asia/Tokyo', ...look });
  context.setDefaultTimeout(60_000);
  const page = context.pages()[0] ?? (await context.newPage());
  page.told = [];
  // A refused login is an answer, though Chromium writes every 4xx on the console.
  page.on('console', (m) => ['error', 'warning'].includes(m.type()) && !/status of 4\d\d/.test(m.text()) && page.told.push(m.text()));
  page.on('pageerror', (e) => page.told.push(String(e)));
  return { context, page };
}

/** Fails on anything axe finds against WCAG 2.1 AA. */
export async function accessible(page, where) {
  if (!(await page.evaluate(() => 'axe' in window))) await page.evaluate(axe);
  const { violations } = await page.evaluate(() => window.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice'] }));
  const found = violations.map((v) => `${v.id}: ${v.help}\n${v.nodes.slice(0, 3).map((n) => `    ${n.target} ${n.failureSummary.split('\n')[1] ?? ''}`).join('\n')}`);
  assert.equal(found.join('\n'), '', `${where} is not accessible`);
}

/** Nothing is being fetched for the first time, and no colour is on its way to another. */
export async function settled(page) {
  await page.locator('h1').first().waitFor();
  await page.waitForFunction(() => !document.querySelector('.bone') && document.getAnimations().every((a) => a.playState !== 'running' || a.effect?.getTiming().iterations === Infinity));
}

export const picture = (page, name) => page.screenshot({ path: join(pictures, `${name}.png`) });
/** What reaches beyond the right edge, when the page scrolls sideways; '' when it does not. */
export const widerThanTheWindow = (page) =>
  page.evaluate(() => {
    const { scrollWidth, clientWidth } = document.documentElement;
    if (scrollWidth <= clientWidth) return '';
    const beyond = [...document.querySelectorAll('body *')].filter((e) => e.getBoundingClientRect().right > clientWidth + 1).slice(0, 4);
    return `${scrollWidth} of ${clientWidth} px: ${beyond.map((e) => `${e.tagName.toLowerCase()}.${e.className}`).join(', ')}`;
  });

export async function logIn(page, url, user, password) {
  await page.goto(`${url}/login`);
  await page.getByLabel('Name').fill(user);
  await page.getByLabel('Password', { exact: true }).fill(password);
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.getByRole('heading', { name: 'Fleet', level: 1 }).waitFor();
}
