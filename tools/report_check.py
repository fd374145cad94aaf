"""Opens the reports of three runs in a browser; see tools/report-check, which calls this.

usage: report_check.py BROWSER FOLDER [--screenshots DIR]
"""
import pathlib
import sys

from playwright.sync_api import sync_playwright

# Lines, heat map rows and pictures that each report has.
EXPECTED = {"ec-gan": dict(lines=10, heat=30, pictures=5, tests=True),
            "classifier": dict(lines=3, heat=0, pictures=2, tests=True),
            "unfinished": dict(lines=10, heat=30, pictures=4, tests=False)}
WIDTHS = (1280, 390, 320)
LARGEST = 2_000_000

MEASURE = """() => ({
    lines: [...document.querySelectorAll('.charts path.line')].filter(p => !p.getAttribute('d').includes('h'))
        .map(p => (p.getAttribute('d').match(/[ML]/g) || []).length),
    heat: document.querySelectorAll('.charts .cell').length,
    pictures: [...document.images].map(i => i.complete && i.naturalWidth > 100),
    unnamed: [...document.querySelectorAll('svg[role=img],img')]
        .filter(e => !(e.getAttribute('aria-label') || e.getAttribute('alt'))).length,
    matrix: document.querySelectorAll('.heat tbody td').length,
    bins: document.querySelectorAll('.bin').length,
    wide: document.documentElement.scrollWidth - innerWidth,
    clipped: [...document.querySelectorAll('.chart text')].filter(t => {
        const box = t.getBoundingClientRect(), svg = t.ownerSVGElement.getBoundingClientRect();
        return box.left < svg.left - 1 || box.right > svg.right + 1 || box.bottom > svg.bottom + 1;
    }).map(t => t.textContent),
    background: getComputedStyle(document.body).backgroundColor,
})"""

# The least contrast of any text with what is behind it, by WCAG 2's formula; half-transparent layers are blended.
CONTRAST = """() => {
    const parse = c => { const n = c.match(/[\\d.]+/g).map(Number); return [n[0], n[1], n[2], n[3] ?? 1]; };
    const light = c => { const [r, g, b] = c.slice(0, 3).map(v => v / 255)
        .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
    const behind = e => { const layers = []; for (; e; e = e.parentElement) layers.push(parse(getComputedStyle(e).backgroundColor));
        return layers.reverse().reduce((under, top) => under.map((v, i) => top[i] * top[3] + v * (1 - top[3])), [255, 255, 255]); };
    let worst = [99, ''];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const e = walker.currentNode.parentElement;
        if (!walker.currentNode.textContent.trim() || e.closest('script,title') || !e.checkVisibility()) continue;
        const style = getComputedStyle(e), svg = e.ownerSVGElement;
        const [a, b] = [light(parse(svg ? style.fill : style.color)), light(behind(svg ? svg.parentElement : e))];
        const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        if (ratio < worst[0]) worst = [ratio, walker.currentNode.textContent.trim().slice(0, 40)];
    }
    return worst;
}"""


def check(browser, folder, name, scheme, width, screenshots):
    """Opens one report; returns what is wrong with it."""
    page = browser.new_context(viewport=dict(width=width, height=900), color_scheme=scheme).new_page()
    wrong = []
    page.on("console", lambda message: wrong.append(f"console: {message.text}"))
    page.on("pageerror", lambda error: wrong.append(f"script: {error}"))
    page.on("request", lambda request: wrong.append(f"request: {request.url[:80]}")
            if not request.url.startswith(("data:", "file://" + str(folder))) else None)
    path = folder / name / "report.html"
    page.goto(f"file://{path}")
    found, expected = page.evaluate(MEASURE), EXPECTED[name]
    ratio, text = page.evaluate(CONTRAST)
    want = lambda ok, what: None if ok else wrong.append(what)
    want(len(found["lines"]) == expected["lines"], f"{len(found['lines'])} curves, expected {expected['lines']}")
    want(all(points >= 1 for points in found["lines"]) and max(found["lines"]) >= 2, f"points of the curves: {found['lines']}")
    want(found["heat"] == expected["heat"], f"{found['heat']} heat map cells, expected {expected['heat']}")
    want(len(found["pictures"]) == expected["pictures"] and all(found["pictures"]), f"pictures: {found['pictures']}")
    want(found["unnamed"] == 0, f"{found['unnamed']} pictures without a text")
    want((found["matrix"] == 100) == expected["tests"], f"{found['matrix']} cells of the confusion matrix")
    want((found["bins"] > 0) == expected["tests"], f"{found['bins']} bins of the calibration")
    want(found["wide"] <= 0, f"wider than the window by {found['wide']} pixels")
    want(not found["clipped"], f"text beyond its picture: {found['clipped']}")
    want(ratio >= 4.5 or (ratio >= 3.9 and text.isdigit()), f"contrast {ratio:.2f} of `{text}`")
    want(path.stat().st_size < LARGEST, f"{path.stat().st_size} bytes")
    if screenshots:
        page.screenshot(path=str(screenshots / f"{name}-{scheme}-{width}.png"), full_page=True)
    hover = page.locator(".at").nth(1)
    hover.hover(force=True)
    want("epoch 2" in page.locator("#tip").inner_text(), "no values under the pointer")
    page.context.close()
    print(f"{name} {scheme} {width}: {len(found['lines'])} curves, least contrast {ratio:.1f}, {path.stat().st_size} bytes"
          + "".join(f"\n  wrong: {what}" for what in wrong))
    return found["background"], wrong


def main():
    chrome, folder = sys.argv[1], pathlib.Path(sys.argv[2]).resolve()
    screenshots = pathlib.Path(sys.argv[4]) if sys.argv[3:4] == ["--screenshots"] else None
    if screenshots:
        screenshots.mkdir(parents=True, exist_ok=True)
    wrong, grounds = [], set()
    with sync_playwright() as playwright:
        # Inside a container its own sandbox cannot be set up.
        browser = playwright.chromium.launch(executable_path=chrome, args=["--no-sandbox"])
        for name in EXPECTED:
            for scheme in ("light", "dark"):
                for width in WIDTHS:
                    ground, found = check(browser, folder, name, scheme, width, screenshots)
                    grounds.add(ground)
                    wrong += found
        browser.close()
    if len(grounds) != 2:
        wrong.append(f"light and dark have the same background: {grounds}")
        print("wrong:", wrong[-1])
    print(f"report-check: {len(EXPECTED)} reports, {2 * len(WIDTHS)} views each, {len(wrong)} things wrong")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
