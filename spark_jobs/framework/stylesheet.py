"""The style sheet of the report: light, dark, print, narrow and wide; contrasts meet WCAG AA."""

STYLESHEET = """
:root {
  color-scheme: light dark;
  --page: #f7f7f5; --card: #fff; --line: #e2e1db; --ink: #14140f; --soft: #55544e; --grid: #eceae4;
  --now: #2a78d6; --now-soft: #9cc3f0; --odd: #c2410c; --good: #15703f; --before: #14140f;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #131312; --card: #1c1c1a; --line: #34332f; --ink: #f4f3ee; --soft: #b9b7ad; \
--grid: #2b2a27;
    --now: #3f86da; --now-soft: #2b5688; --odd: #f08a4b; --good: #5fc48d; --before: #f4f3ee;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); \
font: 16px/1.5 system-ui, "Segoe UI", Roboto, sans-serif; }
header, main, footer { max-width: 70rem; margin: 0 auto; padding: 0 1.25rem; }
header { padding-top: 2.5rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: .2rem 0 .6rem; letter-spacing: -.015em; \
text-wrap: balance; }
h2 { font-size: 1.15rem; margin: 0 0 .25rem; }
h3 { font-size: .95rem; margin: 0; }
p { margin: 0 0 .75rem; max-width: 46rem; }
.eyebrow { color: var(--soft); font-size: .85rem; margin: 0; }
.soft, .tick, caption, dt, th, .key { color: var(--soft); }
section { background: var(--card); border: 1px solid var(--line); border-radius: 12px; \
padding: 1.25rem 1.4rem; margin: 1rem 0; }
code { font: .86em/1.45 ui-monospace, "SF Mono", Consolas, "DejaVu Sans Mono", monospace; \
overflow-wrap: anywhere; }
.sum { display: flex; flex-wrap: wrap; gap: .6rem 2.6rem; margin: 0 0 1rem; padding: 0; \
list-style: none; }
.sum strong { display: block; font-size: 1.75rem; line-height: 1.15; font-weight: 600; \
letter-spacing: -.01em; }
.sum .swatch { margin-right: .4rem; }
.swatch { display: inline-block; width: .85rem; height: .85rem; border-radius: 3px; \
vertical-align: -.08rem; }
.swatch.train, .swatch.now { background: var(--now); }
.swatch.validation { background: var(--now-soft); border: 1px solid var(--now); }
.swatch.quarantine { background: repeating-linear-gradient(45deg, var(--odd) 0 3px, var(--card) \
3px 5px); border: 1px solid var(--odd); }
.swatch.before { height: 0; border-top: 2.5px solid var(--before); border-radius: 0; \
vertical-align: .25rem; }
svg { display: block; width: 100%; height: auto; overflow: visible; }
svg.split { height: 1.1rem; border-radius: 5px; overflow: hidden; }
svg.bar { height: 1rem; min-width: 6rem; }
svg text { font: 10.5px system-ui, "Segoe UI", Roboto, sans-serif; fill: var(--soft); \
font-variant-numeric: tabular-nums; }
rect.now, rect.train, path.now { fill: var(--now); }
rect.validation { fill: var(--now-soft); stroke: var(--now); stroke-width: 1.5; \
vector-effect: non-scaling-stroke; }
rect.quarantine { fill: var(--odd); }
path.before { fill: none; stroke: var(--before); stroke-width: 1.6; stroke-linejoin: round; }
path.mean.before { fill: var(--card); stroke-width: 1.2; }
path.grid { stroke: var(--grid); }
path.axis { stroke: var(--soft); }
.shapes { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 19rem), \
1fr)); gap: 1.6rem 2rem; margin-top: 1rem; }
.shape { min-width: 0; break-inside: avoid; }
.shape .ends { font-size: .85rem; margin: .1rem 0 0; font-variant-numeric: tabular-nums; }
.shape details { margin-top: .2rem; font-size: .82rem; }
.key { display: flex; flex-wrap: wrap; gap: .3rem 1.4rem; font-size: .85rem; margin: .3rem 0 0; }
.key span.swatch { margin-right: .4rem; }
table { border-collapse: collapse; width: 100%; font-size: .88rem; }
caption { text-align: left; font-size: .82rem; padding-bottom: .3rem; }
th { text-align: left; font-weight: 500; font-size: .82rem; }
th, td { padding: .35rem .9rem .35rem 0; border-bottom: 1px solid var(--line); \
vertical-align: baseline; }
tr:last-child > * { border-bottom: 0; }
tbody th { color: var(--ink); }
th code { overflow-wrap: break-word; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td.drawn { width: 40%; vertical-align: middle; }
.wide { overflow-x: auto; }
details { margin-top: .5rem; font-size: .88rem; }
summary { color: var(--soft); cursor: pointer; width: fit-content; }
summary:focus-visible, a:focus-visible, .wide:focus-visible { outline: 2px solid var(--now); \
outline-offset: 3px; border-radius: 3px; }
ul.said { margin: .4rem 0 0; padding: 0; list-style: none; }
ul.said li { padding: .3rem 0 .3rem 1.6rem; position: relative; }
ul.said li::before { content: "\\25B2"; color: var(--odd); position: absolute; left: 0; \
font-size: .8rem; line-height: 1.9; }
ul.said.good li::before { content: "\\2713"; color: var(--good); font-weight: 700; \
font-size: 1rem; line-height: 1.5; }
dl { display: grid; grid-template-columns: minmax(8rem, max-content) 1fr; gap: .4rem 1.4rem; \
margin: .6rem 0 0; font-size: .9rem; }
dd { margin: 0; min-width: 0; overflow-wrap: anywhere; }
footer { color: var(--soft); font-size: .82rem; padding-bottom: 3rem; }
@media (max-width: 34rem) {
  dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: .6rem; } td.drawn { \
display: none; }
  header { padding-top: 1.5rem; } h1 { font-size: 1.5rem; }
}
@media print {
  :root { --page: #fff; --card: #fff; --line: #bbb; --ink: #000; --soft: #444; --grid: #ddd; \
--now: #2a78d6; --now-soft: #9cc3f0;
    --odd: #a8320a; --good: #15703f; --before: #000; color-scheme: light; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  body { font-size: 10.5pt; } header, main, footer { max-width: none; padding: 0; }
  section { border: 0; border-top: 1px solid var(--line); border-radius: 0; padding: .8rem 0; }
  h2, h3 { break-after: avoid; } tr, dl > * { break-inside: avoid; } .shapes { \
grid-template-columns: repeat(3, 1fr); gap: 1rem; }
  .shape details { display: none; } svg text { font-size: 14px; }
}
"""
