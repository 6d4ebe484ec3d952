// Makes the README's two pictures anew: three models, one campaign that has ended and one half way, all of it really
// happening in an airmaild.      AIRMAIL_BIN=build/dev node tests/web/readme_pictures.mjs
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { logIn, openBrowser } from './browser.mjs';
import { House, until } from './house.mjs';

const password = 'correct horse battery staple';
const to = fileURLToPath(new URL('../../plugins/dashboard/pictures/', import.meta.url));
const house = new House();
const gated = (list) => list.map((percent) => ({ percent, soak_s: 3, success_percent: 90 }));
const start = async (name, file, phases, more = {}) => {
  const { firmware_id } = house.json('firmware', 'upload', file);
  const { status, body } = await house.api('POST', '/api/v1/campaigns', { name, firmware_id, target_criteria: {}, phases: gated(phases), start: true, ...more });
  if (status !== 201) throw new Error(JSON.stringify(body));
  return body.campaign_id;
};
const shown = async (id) => (await house.api('GET', `/api/v1/campaigns/${id}`)).body;

try {
  await house.broker();
  const { context, page } = await openBrowser({ colorScheme: 'light', viewport: { width: 1280, height: 800 } });
  await page.goto(`${house.url}/setup?token=${await house.setupToken()}`);
  await page.getByLabel('Password', { exact: true }).fill(password);
  await page.getByLabel('Once more').fill(password);
  await page.getByRole('button', { name: 'Make the administrator' }).click();
  await page.getByRole('heading', { name: 'Fleet', level: 1 }).waitFor();
  house.fleet(60, ['--checksum-fault', '2', '--notify', '8'], 'gate-', { model: 'GW-20', firmware: 'v3.4.1', heartbeat: '3s' });
  house.fleet(140, ['--boot-failure', '4', '--notify', '20'], 'pump-', { model: 'TX-100', firmware: 'v1.0.0', heartbeat: '3s' });
  house.fleet(40, ['--offline', '3', '--offline-seen'], 'meter-', { model: 'MR-7', firmware: 'v2.1.0', heartbeat: '4s' });
  await until('all are here', async () => (await house.api('GET', '/api/v1/fleet')).body.online >= 237, 90);
  const first = await start('Gateway TLS renewal', house.release('v3.5.0', 1, 2, 'GW-20'), [10, 100]);
  await until('the first has ended', async () => (await shown(first)).status === 'completed', 120);
  const second = await start('Spring fixes', house.release('v1.1.0', 2, 2), [5, 25, 60, 100]);
  const dark = await openBrowser({ colorScheme: 'dark', viewport: { width: 1280, height: 900 } });
  await logIn(dark.page, house.url, 'admin', password);
  await dark.page.goto(`${house.url}/campaigns/${second}`);
  await until('half way', async () => (await shown(second)).counters.finished >= 60, 120);
  await page.screenshot({ path: join(to, 'overview.png') });
  await dark.page.screenshot({ path: join(to, 'campaign.png') });
  await dark.context.close();
  await context.close();
} finally {
  await house.end();
}
