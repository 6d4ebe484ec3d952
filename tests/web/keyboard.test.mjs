// A day without a mouse: log in, find a device, plan a campaign, start it and cancel it, with keys alone. Where the focus is
// can always be seen, a dialog keeps it, and gives it back.
import assert from 'node:assert/strict';
import { accessible, picture, settled } from './browser.mjs';
import { Day, password } from './day.mjs';
import { until } from './house.mjs';

const devices = 6;
const day = new Day('keyboard');
const { house, step } = day;
let page;

const press = async (...keys) => {
  for (const k of keys) await page.keyboard.press(k);
};
/** What has the focus, in a word. */
const focused = () =>
  page.evaluate(() => {
    const e = document.activeElement;
    if (!e || e === document.body) return 'nothing';
    return e.getAttribute('aria-label') || e.labels?.[0]?.textContent || e.textContent.trim() || e.tagName;
  });
const focusIs = (what) => until(`the focus is on ${what}`, async () => (await focused()) === what, 10);

/** Tab until `what` has the focus. */
async function tabTo(what, key = 'Tab') {
  for (let i = 0; i < 60; i++) {
    await press(key);
    if ((await focused()) === what) return;
  }
  assert.fail(`Tab never reaches ${what}`);
}

/** Does what has the focus look otherwise than without it? */
const focusShows = () =>
  page.evaluate(async () => {
    const drawn = () => new Promise((on) => requestAnimationFrame(() => requestAnimationFrame(on))); // colours change over a frame
    const look = (e) => {
      const parts = [e, e.parentElement, e.closest('label, .mantine-InputWrapper-root')].filter(Boolean);
      return parts.map((p) => ((s) => [s.outlineStyle === 'none' ? '' : s.outline, s.boxShadow, s.borderColor, s.backgroundColor].join())(getComputedStyle(p))).join('|');
    };
    const e = document.activeElement;
    await drawn();
    // A segment's radio has no size of its own; its label is what one sees.
    const box = (e.offsetWidth > 0 ? e : (e.labels?.[0] ?? e)).getBoundingClientRect();
    const before = look(e);
    e.blur();
    await drawn();
    const after = look(e);
    e.focus({ preventScroll: true });
    return { shows: before !== after, inView: box.width > 0 && box.bottom > 0 && box.top < innerHeight && box.right > 0 };
  });

step('a login by keys: the name has the focus at once, Enter opens, the heading of the page is read', async () => {
  page = day.page;
  await page.emulateMedia({ reducedMotion: 'reduce' });
  await day.firstAdmin();
  house.fleet(devices);
  house.ctl('firmware', 'upload', house.release('v1.1.0', 1, 2));
  await until('all are here', async () => (await house.api('GET', '/api/v1/fleet')).body.online >= devices);
  await page.getByRole('button', { name: 'Log out' }).click();
  await focusIs('Name');
  await page.keyboard.type('admin');
  await press('Tab');
  await page.keyboard.type(password);
  await press('Enter');
  await page.getByRole('heading', { name: 'Fleet', level: 1 }).waitFor();
  await focusIs('Fleet');
});

step('the first stop is the way past the navigation', async () => {
  await page.reload();
  await settled(page);
  await press('Tab');
  await focusIs('To the content');
  assert.deepEqual(await focusShows(), { shows: true, inView: true });
  await picture(page, 'skip-link');
  await press('Enter', 'Tab');
  assert.ok(await page.evaluate(() => document.querySelector('main').contains(document.activeElement)), `the next stop is in the content, not ${await focused()}`);
});

step('every stop of a page shows that it has the focus, and Tab goes through all of them and out', async () => {
  for (const path of ['/', '/devices', '/settings']) {
    await page.goto(house.url + path);
    await settled(page);
    const stops = [];
    const unseen = [];
    for (let i = 0; i < 120; i++) {
      await press('Tab');
      const where = await focused();
      if (where === 'nothing') break;
      stops.push(where);
      const { shows, inView } = await focusShows();
      if (!shows || !inView) unseen.push(`${where}${inView ? '' : ' (out of view)'}`);
    }
    assert.equal(unseen.join(', '), '', `the focus cannot be seen on ${path}`);
    assert.ok(stops.length > 12 && stops.length < 120, `${stops.length} stops on ${path}: ${stops.join(', ')}`);
  }
});

step('Ctrl K finds a device, ? lists the keys, and both give the focus back', async () => {
  await page.goto(house.url);
  await settled(page);
  await press('?');
  await page.getByRole('dialog', { name: 'Keys' }).waitFor();
  await press('Escape');
  await focusIs('Fleet');
  await press('Control+k');
  await focusIs('Page, serial number or campaign');
  await page.keyboard.type('tx-0003');
  await page.getByRole('option', { name: 'tx-0003' }).waitFor();
  await press('Enter');
  await page.getByRole('heading', { name: 'tx-0003', level: 1 }).waitFor();
  await focusIs('tx-0003');
});

step('g d goes to the list, / into its field, and a row is opened from there', async () => {
  await press('g', 'd');
  await page.getByRole('heading', { name: 'Devices', level: 1 }).waitFor();
  await focusIs('Devices');
  await press('/');
  await focusIs('Find');
  await page.keyboard.type('tx-0002');
  await page.getByText('1 device', { exact: true }).waitFor();
  for (let i = 0; i < 20 && !/^tx-0002/.test(await focused()); i++) await press('Tab');
  assert.deepEqual(await focusShows(), { shows: true, inView: true });
  await press('Enter');
  await page.getByRole('heading', { name: 'tx-0002', level: 1 }).waitFor();
});

step('an explanation opens, keeps the focus inside, and gives it back', async () => {
  await tabTo('Why not updated?');
  await press('Enter');
  const dialog = page.getByRole('dialog');
  await dialog.getByText('No campaign is about this device').waitFor();
  for (let i = 0; i < 5; i++) {
    await press('Tab');
    assert.ok(await dialog.evaluate((d) => d.contains(document.activeElement)), `Tab leaves the dialog: ${await focused()}`);
  }
  await press('Escape');
  await focusIs('Why not updated?');
});

step('a menu opens with Enter, goes with arrows, closes with Escape', async () => {
  await tabTo('Actions');
  await press('Enter');
  await page.getByRole('menu').waitFor();
  await press('ArrowDown');
  await until('an item has the focus', async () => page.evaluate(() => document.activeElement?.getAttribute('role') === 'menuitem'), 10);
  await press('Escape');
  await focusIs('Actions');
});

step('a campaign is planned and started', async () => {
  await press('g', 'c');
  await page.getByRole('heading', { name: 'Campaigns', level: 1 }).waitFor();
  await focusIs('Campaigns');
  await tabTo('New campaign');
  await press('Enter');
  await page.getByRole('heading', { name: 'New campaign', level: 1 }).waitFor();
  await focusIs('Name');
  await page.keyboard.type('By keys');
  await press('Tab', 'Space');
  await tabTo('Next');
  await press('Enter');
  // Each step takes the focus to its beginning: nobody has to walk through the navigation again.
  await focusIs('To which devices');
  await tabTo('Next');
  await press('Enter');
  await focusIs('How fast');
  await tabTo('At once, at most');
  await page.keyboard.type('1');
  await press('Enter');
  await focusIs('Look once more');
  await accessible(page, 'the last step');
  await tabTo('Start');
  await press('Enter');
  await page.getByRole('dialog', { name: 'Start this campaign?' }).waitFor();
  await tabTo('Leave it');
  await press('Enter');
  await focusIs('Start');
  await press('Enter');
  await page.getByRole('dialog', { name: 'Start this campaign?' }).waitFor();
  await tabTo('Start it');
  await press('Enter');
  await page.getByRole('heading', { name: 'By keys', level: 1 }).waitFor();
  await focusIs('By keys');
});

step('it is cancelled; a reason that was typed for something else is not kept', async () => {
  await tabTo('Pause');
  await press('Enter');
  await page.getByRole('dialog', { name: 'Pause By keys?' }).waitFor();
  await tabTo('Reason');
  await page.keyboard.type('only looking');
  await press('Escape');
  await focusIs('Pause');
  await tabTo('Cancel');
  await press('Enter');
  await page.getByRole('dialog', { name: 'Cancel By keys?' }).waitFor();
  await tabTo('Reason');
  assert.equal(await page.evaluate(() => document.activeElement.value), '');
  await page.keyboard.type('it was a try');
  await tabTo('Cancel the campaign');
  await press('Enter');
  await page.getByRole('dialog', { name: 'Cancelled' }).waitFor();
  await press('Escape');
  await page.locator('.page-head').getByText('Cancelled').waitFor();
  // The button that opened it is gone: the heading has the focus, not the top of the page.
  await focusIs('By keys');
});

step('and out', async () => {
  await tabTo('Log out', 'Shift+Tab');
  await press('Enter');
  await page.getByRole('heading', { name: 'Log in' }).waitFor();
  await focusIs('Name');
  assert.deepEqual(page.told, []);
});
