const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium'
// No sandbox, because it runs as root in containers; nothing that would talk to the internet.
const FLAGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
]

export function chromium(place) {
  const launch = async () => {
    const { chromium } = await import('playwright-core')
    return chromium.launch({ executablePath: CHROMIUM, args: FLAGS })
  }
  return {
    name: `Chromium, ${place}`,
    needs: CHROMIUM,
    async version() {
      const browser = await launch()
      await browser.close()
      return browser.version()
    },
    async run({ url, report }) {
      const browser = await launch()
      try {
        const page = await browser.newPage()
        await page.goto(`${url}/${place.replace(' ', '-')}.html`)
        return await report
      } finally {
        await browser.close()
      }
    },
  }
}
