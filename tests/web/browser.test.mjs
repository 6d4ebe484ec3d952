// The main paths of the dashboard in a real browser, against a real broker with a simulated fleet; nothing is mocked. The
// steps build on one another, as a first day does.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { accessible, logIn, openBrowser, picture } from './browser.mjs';
import { Day, password } from './day.mjs';
import { until } from './house.mjs';

const devices = 24;
const day = new Day('first-day');
const { house, step, figure, button, dialog } = day;
let page;
let fleet;
let campaign;
let overview;

step('without an administrator the page says where the link is', async () => {
  page = day.page;
  await page.goto(house.url);
  await page.getByRole('heading', { name: 'Welcome' }).waitFor();
  await accessible(page, 'the welcome');
});

step('the printed link makes the first administrator, and leaves the address', async () => {
  await page.goto(`${house.url}/setup?token=${await house.setupToken()}`);
  await page.getByLabel('Password', { exact: true }).fill('too short');
  await page.getByLabel('Once more').fill('too short');
  await button('Make the administrator').click();
  await page.getByText('At least 12 characters', { exact: true }).waitFor();
  assert.equal(new URL(page.url()).search, '');
  await picture(page, 'setup');
  await accessible(page, 'the set-up');
  await page.getByLabel('Password', { exact: true }).fill(password);
  await page.getByLabel('Once more').fill(password);
  await button('Make the administrator').click();
  await page.getByRole('heading', { name: 'Fleet', level: 1 }).waitFor();
});

step('devices that come are counted without a reload', async () => {
  assert.match(await page.locator('.lead').textContent(), /No device/);
  fleet = house.fleet(devices, ['--boot-failure', '2', '--checksum-fault', '1', '--notify', '5']);
  await until('all are online', async () => (await figure('Online now').textContent()).trim() === String(devices));
});

step('a wrong password is refused, the right one opens', async () => {
  await page.getByRole('button', { name: 'Log out' }).click();
  await page.getByLabel('Name').fill('admin');
  await page.getByLabel('Password', { exact: true }).fill('wrong wrong wrong');
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.getByText('Name or password is not right.').waitFor();
  await picture(page, 'login');
  await logIn(page, house.url, 'admin', password);
});

step('a login survives a reload; the token is in no storage that a script could read', async () => {
  await page.reload();
  await page.getByRole('heading', { name: 'Fleet', level: 1 }).waitFor();
  assert.doesNotMatch(await page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage, cookie: document.cookie })), /eyJ/);
});

step('an unsigned file is refused with what to do about it', async () => {
  await page.getByRole('link', { name: 'Firmware' }).click();
  const file = join(house.dir, 'unsigned.bin');
  writeFileSync(file, Buffer.alloc(300_000, 7));
  await page.setInputFiles('input[type=file]', file);
  await page.getByText('airmailctl firmware sign', { exact: false }).nth(1).waitFor();
});

step('a signed release is uploaded from the page, which says how far it is', async () => {
  const slow = await day.context.newCDPSession(page);
  await slow.send('Network.emulateNetworkConditions', { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: 2 * 1048576 });
  await page.setInputFiles('input[type=file]', house.release('v1.1.0', 2, 2));
  await page.locator('.drop [role=img]').waitFor();
  await page.getByText(/ of 2\.0 MiB/).waitFor();
  await slow.send('Network.emulateNetworkConditions', { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: -1 });
  const row = page.getByRole('row').filter({ hasText: 'v1.1.0' });
  await row.getByText('Signed').waitFor();
  await row.getByText('2.0 MiB').waitFor();
});

step('the wizard counts the targets while they are written, and starts a campaign in phases', async () => {
  overview = await day.context.newPage();
  await overview.goto(house.url);
  await overview.getByText('All quiet').waitFor();
  await page.bringToFront();
  await page.getByRole('link', { name: 'Ship v1.1.0' }).click();
  await page.getByLabel('Name').fill('Spring fixes');
  await page.locator('.big-count').filter({ hasText: String(devices) }).waitFor();
  await button('Next').click();
  await page.getByLabel('Runs now').fill('< v1.0.0');
  await page.locator('.big-count').filter({ hasText: /^0$/ }).waitFor();
  await page.getByLabel('Runs now').fill('< v1.1.0');
  await page.locator('.big-count').filter({ hasText: String(devices) }).waitFor();
  await picture(page, 'wizard-targets');
  await button('Next').click();
  for (const [i, percent] of ['25', '100'].entries()) {
    await page.getByLabel(`Phase ${i + 1}, up to`).fill(percent);
    await page.getByLabel('Watch for').nth(i).fill('0');
    await page.getByLabel('Success needed').nth(i).fill('20');
  }
  await button('Remove phase 4').click();
  await button('Remove phase 3').click();
  await picture(page, 'wizard-phases');
  await accessible(page, 'the wizard');
  await button('Next').click();
  await page.getByText('25 % (then 0 min, 20 % good) → 100 %').waitFor();
  await button('Start').click();
  await button('Start it').click();
  await page.getByRole('heading', { name: 'Spring fixes', level: 1 }).waitFor();
  campaign = page.url();
});

step('its progress is watched live to the end, phase by phase', async () => {
  const seen = new Set();
  await until('every device has finished', async () => {
    const text = (await figure('Finished').textContent()).trim();
    seen.add(text);
    return text === '100 %';
  }, 90);
  assert.ok(seen.size >= 3, `the figure moved through ${[...seen].join(', ')}`);
  await page.locator('.page-head').getByText('Completed').waitFor();
  await page.locator('.phase[data-state=PASSED], .phase[data-state=OPEN]').nth(1).waitFor();
  await page.getByRole('button', { name: '2 Rolled back' }).waitFor();
  // Alerts come to an overview that is open, not only to one that is opened.
  await overview.locator('.events').getByText('rolled back from v1.1.0').nth(1).waitFor();
  await overview.close();
});

step('a rolled-back device reads "Update Failed - Rolled Back" with its error', async () => {
  await page.getByRole('button', { name: '2 Rolled back' }).click();
  const row = page.locator('tbody tr').filter({ hasText: 'Update Failed - Rolled Back' });
  await until('two rows are shown', async () => (await row.count()) === 2);
  await row.first().getByRole('link').click();
  const notice = page.locator('.trouble').filter({ hasText: 'Update Failed - Rolled Back' });
  await notice.waitFor();
  assert.ok((await notice.locator('.more').textContent()).length > 3, 'the error stands beside it');
  await picture(page, 'device-rolled-back');
});

step('"why has this device not updated?" is one click', async () => {
  await button('Why not updated?').click();
  await dialog('Why has this device not updated?').getByText('Spring fixes').waitFor();
  await dialog('Why has this device not updated?').getByText('It installed v1.1.0 and went back to v1.0.0: boot_failure.').waitFor();
  await accessible(page, 'the explanation');
  await picture(page, 'why');
  await page.keyboard.press('Escape');
});

step('a desired setting is asked for, and stands beside the reported one', async () => {
  await button('Set one').click();
  await page.getByLabel('Setting', { exact: true }).fill('poll_interval');
  await page.getByLabel('Desired value').fill('60');
  await button('Ask for it').click();
  const row = page.getByRole('row').filter({ hasText: 'poll_interval' });
  await row.getByText('60', { exact: true }).first().waitFor();
});

step('a second campaign is paused, resumed and cancelled, each saying what it will do', async () => {
  house.ctl('firmware', 'upload', house.release('v1.2.0', 1, 3));
  await page.goto(`${house.url}/campaigns/new`);
  await page.getByLabel('Name').fill('Summer');
  await page.getByText('v1.2.0').click();
  await button('Next').click();
  await button('Next').click();
  await page.getByLabel('Everyone at once').check();
  await page.getByLabel('At once, at most').fill('1');
  await button('Next').click();
  await button('Start').click();
  await button('Start it').click();
  await page.getByRole('heading', { name: 'Summer', level: 1 }).waitFor();
  await button('Pause').click();
  await dialog('Pause Summer?').getByText('No further device is told').waitFor();
  await page.getByLabel('Reason').fill('looking at the first');
  await button('Pause it').click();
  await page.locator('.page-head').getByText('Paused').waitFor();
  await button('Resume').click();
  await button('Resume it').click();
  await page.locator('.page-head').getByText('Running').waitFor();
  await button('Cancel').click();
  await dialog('Cancel Summer?').getByText('will never be told').waitFor();
  await picture(page, 'cancel');
  await accessible(page, 'the cancel dialog');
  await button('Cancel the campaign').click();
  await dialog('Cancelled').getByText('Stopped at once').waitFor();
  await page.keyboard.press('Escape');
  await page.locator('.page-head').getByText('Cancelled').waitFor();
});

const closed = () => until('no dialog is open', async () => (await page.getByRole('dialog').count()) === 0);

step('the list filters as one types, the address is the filter, and a filter is saved', async () => {
  await closed();
  await page.keyboard.press('g');
  await page.keyboard.press('d');
  await page.getByRole('heading', { name: 'Devices', level: 1 }).waitFor();
  await page.getByText(`${devices} devices`, { exact: true }).waitFor();
  await page.keyboard.press('/');
  await page.keyboard.type('id==tx-000*;model==TX-100');
  await page.getByText('9 devices', { exact: true }).waitFor();
  assert.match(page.url(), /q=id%3D%3Dtx-000/);
  await button('Saved filters').click();
  await page.getByRole('menuitem', { name: 'Save this filter' }).click();
  await page.getByLabel('Name').fill('The first nine');
  await button('Save').click();
  await page.goto(`${house.url}/devices`);
  await button('Saved filters').click();
  await page.getByRole('menuitem', { name: 'The first nine', exact: true }).click();
  await page.waitForURL(/q=id%3D%3Dtx-000/);
  await page.getByText('9 devices', { exact: true }).waitFor();
});

step('a viewer is offered nothing that would be refused, and a role holds on the server', async () => {
  await page.getByRole('link', { name: 'Users' }).click();
  await button('Add user').click();
  await page.getByLabel('Name').fill('vera');
  await page.getByLabel('First password').fill(password);
  await button('Add').click();
  await page.getByRole('row').filter({ hasText: 'vera' }).waitFor();
  const other = await openBrowser();
  await logIn(other.page, house.url, 'vera', password);
  assert.equal(await other.page.getByRole('link', { name: 'Users' }).count(), 0);
  await other.page.goto(campaign);
  await other.page.getByRole('heading', { name: 'Spring fixes', level: 1 }).waitFor();
  assert.equal(await other.page.getByRole('button', { name: 'Try again: ', exact: false }).count(), 0);
  await other.page.goto(`${house.url}/audit`);
  await other.page.getByRole('heading', { name: 'Not for your role', level: 1 }).waitFor();
  await other.page.goto(`${house.url}/campaigns`);
  await other.page.getByRole('link', { name: 'Spring fixes' }).waitFor();
  assert.equal(await other.page.getByRole('link', { name: 'New campaign' }).count(), 0);
  // The same person as an operator: campaigns, and still no users.
  house.ctl('user', 'role', 'vera', 'operator');
  await other.context.close();
  const operator = await openBrowser();
  await logIn(operator.page, house.url, 'vera', password);
  assert.equal(await operator.page.getByRole('link', { name: 'Users' }).count(), 0);
  await operator.page.goto(`${house.url}/campaigns`);
  await operator.page.getByRole('link', { name: 'New campaign' }).waitFor();
  await operator.context.close();
});

step('the console stayed silent: no error, and nothing that the policy had to refuse', () => {
  assert.deepEqual(page.told, []);
});
