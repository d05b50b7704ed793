// A person in front of a real Chromium: person.mjs LOGIN SHOTS URL [USER_CODE]
//
// Logs in at an oidc-provider's own pages for development, as LOGIN; for the device flow enters USER_CODE first. Leaves in
// SHOTS what they saw last, in light, in dark and on a narrow screen, and the words of it in page.txt.
import fs from 'node:fs';
import { createRequire } from 'node:module';

const { chromium } = createRequire(import.meta.url)('playwright-core');

const [login, shots, url, userCode] = process.argv.slice(2);
// Code, confirmation, login, consent; more would be a circle.
const MAX_PAGES = 8;

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-sync',
    '--disable-background-networking', '--disable-component-update'],
});
try {
  const page = await browser.newPage({ viewport: { width: 900, height: 640 } });
  const refused = [];
  page.on('console', (message) => {
    if (message.type() === 'error' && page.url().includes('/auth/callback')) refused.push(message.text());
  });
  await page.goto(url);
  for (let step = 0; step < MAX_PAGES; step += 1) {
    const submit = page.locator('[type=submit]:not([name=abort])').first();
    if (!(await submit.count())) break;
    const fill = async (name, value) => {
      const field = page.locator(`input[name=${name}]:not([type=hidden])`);
      if (await field.count()) await field.fill(value);
    };
    if (userCode) await fill('user_code', userCode);
    await fill('login', login);
    await fill('password', 'any');
    await Promise.all([page.waitForNavigation(), submit.click()]);
  }
  fs.mkdirSync(shots, { recursive: true });
  fs.writeFileSync(`${shots}/page.txt`, await page.locator('body').innerText());
  // What our own page misses because of its policy: nothing, one hopes.
  fs.writeFileSync(`${shots}/refused.txt`, refused.join('\n'));
  for (const scheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme: scheme });
    await page.screenshot({ path: `${shots}/${scheme}.png` });
  }
  await page.setViewportSize({ width: 360, height: 640 });
  await page.screenshot({ path: `${shots}/narrow.png` });
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  if (wide > 360 && page.url().includes('/auth/callback')) throw new Error(`the page is ${wide} wide on a screen of 360`);
} finally {
  await browser.close();
}
