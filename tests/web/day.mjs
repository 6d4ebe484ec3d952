// Steps that build on one another, as a day does: after the first that fails the rest is not tried, and what is needed to
// see why is kept.
import { after, before, test } from 'node:test';
import { openBrowser, picture } from './browser.mjs';
import { House } from './house.mjs';

export const password = 'correct horse battery staple';

/** A broker, a browser before it, and `step`. `page` and `context` are there once the first step runs. */
export class Day {
  house = new House();
  failed = false;

  constructor(name, more) {
    before(async () => {
      await this.house.broker(more);
      Object.assign(this, await openBrowser());
    });
    after(async () => {
      if (this.failed) console.error(this.house.daemon?.text().split('\n').slice(-30).join('\n'));
      await this.context?.close();
      await this.house.end();
    });
    this.step = (what, body) =>
      test(what, async (t) => {
        if (this.failed) return t.skip('an earlier step failed');
        try {
          await body();
        } catch (trouble) {
          this.failed = true;
          this.house.kept = true;
          await picture(this.page, `failure-${name}`).catch(() => {});
          trouble.message += `\nlook at failure-${name}.png, ${this.house.dir}; the page has said: ${this.page?.told.join(' | ')}`;
          throw trouble;
        }
      });
  }

  /** Through the printed link; the page then stands on the overview. */
  async firstAdmin() {
    const { page, house } = this;
    await page.goto(`${house.url}/setup?token=${await house.setupToken()}`);
    await page.getByLabel('Password', { exact: true }).fill(password);
    await page.getByLabel('Once more').fill(password);
    await page.getByRole('button', { name: 'Make the administrator' }).click();
    await page.getByRole('heading', { name: 'Fleet', level: 1 }).waitFor();
  }

  button = (name) => this.page.getByRole('button', { name, exact: true });
  dialog = (name) => this.page.getByRole('dialog', { name });
  figure = (what) => this.page.locator('.figure').filter({ hasText: what }).locator('.value');
}
