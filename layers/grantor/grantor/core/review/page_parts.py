"""The style and the script of the pages that people review, as text that stands in each page.

A page has a Content-Security-Policy that allows exactly these two, by their hashes: whatever a
policy file says, it runs nothing and loads nothing.
"""

import base64
import hashlib

STYLE = """
:root{color-scheme:light dark;--ink:#1b1f24;--soft:#57606a;--line:#d8dee4;--faint:#f6f8fa;
--page:#fff;--link:#0b5cad;--look:#8a4600;--look-bg:#fff4e5;--read:#0b5132;--read-bg:#e6f4ec;
--write:#6b2a86;--write-bg:#f5eafa}
@media (prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#9da7b1;--line:#30363d;
--faint:#161b22;--page:#0d1117;--link:#6cb6ff;--look:#f0b072;--look-bg:#2e2010;--read:#7ee2a8;
--read-bg:#10281b;--write:#d9a8f0;--write-bg:#2a1733}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);
font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",sans-serif}
main,header,footer{max-width:76rem;margin:0 auto;padding:0 1.25rem}
header{padding-top:2.5rem}
h1{font-size:1.75rem;line-height:1.2;font-weight:650;margin:.25rem 0 .5rem;letter-spacing:-.01em;
overflow-wrap:anywhere}
h2{font-size:1.125rem;font-weight:650;margin:2.5rem 0 .75rem}
p{margin:.25rem 0 .75rem;max-width:68ch}
a{color:var(--link)}
.soft,.stack,footer{color:var(--soft)}
.stack{margin:0;font-size:.875rem}
code,pre,.mono{font-family:ui-monospace,"SF Mono",Menlo,Consolas,"Liberation Mono",monospace;
font-size:.8125rem}
.mono{overflow-wrap:anywhere}
.counts{display:grid;grid-template-columns:repeat(auto-fit,minmax(9.5rem,1fr));gap:.75rem;
margin:1.25rem 0 0;padding:0}
.counts div{border:1px solid var(--line);border-radius:.5rem;padding:.625rem .875rem;
display:flex;flex-direction:column-reverse;justify-content:flex-end}
.counts dt{color:var(--soft);font-size:.8125rem}
.counts dd{margin:0;font-size:1.5rem;font-weight:600;font-variant-numeric:tabular-nums}
.counts .look{background:var(--look-bg);border-color:transparent}
.counts .look dt,.counts .look dd{color:var(--look)}
search{display:flex;flex-wrap:wrap;gap:.5rem .75rem;align-items:center;position:sticky;top:0;
background:var(--page);padding:.75rem 0;z-index:3;margin-top:1.5rem}
search[hidden]{display:none}
search label{font-weight:600}
input,button{font:inherit;color:inherit;background:var(--page);border:1px solid var(--soft);
border-radius:.375rem;padding:.375rem .625rem}
input{flex:1 1 14rem;min-width:0;max-width:26rem}
button{cursor:pointer}
:focus-visible{outline:2px solid var(--link);outline-offset:2px}
details{border-top:1px solid var(--line)}
details:last-of-type{border-bottom:1px solid var(--line)}
summary{padding:.625rem .25rem;cursor:pointer;overflow-wrap:anywhere}
summary:hover{background:var(--faint)}
summary b{font-weight:600}
.body{padding:0 .25rem 1rem}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:.875rem}
th,td{text-align:left;vertical-align:top;padding:.375rem .75rem .375rem 0;
border-top:1px solid var(--line)}
thead th{border-top:0;color:var(--soft);font-weight:500;font-size:.8125rem;vertical-align:bottom}
tbody th{font-weight:500;min-width:9rem;overflow-wrap:anywhere}
.matrix td,.matrix thead th+th{min-width:6.5rem}
.matrix tbody th{position:sticky;left:0;background:var(--page);max-width:16rem}
.date{white-space:nowrap;font-variant-numeric:tabular-nums}
.r,.w,.mark{display:inline-block;border-radius:.25rem;padding:0 .4rem;font-size:.8125rem;
white-space:nowrap}
.r{color:var(--read);background:var(--read-bg)}
.w{color:var(--write);background:var(--write-bg)}
.mark{color:var(--look);background:var(--look-bg)}
.owners{columns:18rem;padding:0;list-style:none;margin:0}
.owners li{padding:.1875rem 0;break-inside:avoid;overflow-wrap:anywhere}
pre{background:var(--faint);border:1px solid var(--line);border-radius:.5rem;padding:.875rem;
white-space:pre-wrap;overflow-wrap:anywhere;margin:.5rem 0}
footer{margin-top:3rem;padding-bottom:3rem;font-size:.8125rem}
[hidden]{display:none!important}
@media (max-width:40rem){header{padding-top:1.25rem}h1{font-size:1.375rem}
.matrix tbody th{min-width:7.5rem;max-width:9rem}}
@media print{:root{color-scheme:light;--ink:#000;--soft:#333;--line:#999;--faint:#fff;--page:#fff;
--look:#000;--look-bg:#fff;--read:#000;--read-bg:#fff;--write:#000;--write-bg:#fff;--link:#000}
@page{margin:14mm}body{font-size:9pt}main,header,footer{max-width:none;padding:0}
search,button{display:none!important}thead{display:table-header-group}
tr,.counts,pre{break-inside:avoid}h2{break-after:avoid}.scroll{overflow:visible}
.mark{border:1px solid #999}.matrix tbody th{position:static}
details::details-content{content-visibility:visible;block-size:auto}}
"""

SCRIPT = """
(() => {
  const field = document.getElementById("find"), said = document.getElementById("found");
  const rows = [...document.querySelectorAll("tr[data-row]")];
  const folds = [...document.querySelectorAll("main details")];
  const texts = new Map(), before = new Map(folds.map((one) => [one, one.open]));
  const read = (row) => {
    if (!texts.has(row)) {
      const fold = row.closest("details");
      const above = fold && fold.dataset.rule !== undefined
        ? fold.querySelector("summary").textContent : "";
      texts.set(row, (row.textContent + " " + above).toLowerCase());
    }
    return texts.get(row);
  };
  const show = () => {
    const words = field.value.toLowerCase().split(/\\s+/).filter(Boolean), open = new Set();
    let people = 0;
    for (const row of rows) {
      const fits = words.every((word) => read(row).includes(word));
      row.hidden = !fits;
      if (fits) {
        people += row.dataset.row === "person";
        open.add(row.closest("details"));
      }
    }
    for (const fold of folds) {
      fold.hidden = words.length > 0 && !open.has(fold);
      fold.open = words.length > 0 ? open.has(fold) && fold.dataset.rule === undefined
        : before.get(fold);
    }
    said.textContent = words.length ? people.toLocaleString("en") + " people found" : "";
  };
  let waiting;
  field.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(show, 120);
  });
  for (const fold of document.querySelectorAll("button[data-fold]")) {
    fold.addEventListener("click", () => {
      const open = fold.dataset.fold === "open";
      for (const one of folds) if (!one.hidden) one.open = open;
    });
  }
  field.closest("search").hidden = false;
  const copy = document.getElementById("copy");
  if (copy && navigator.clipboard) {
    copy.hidden = false;
    copy.addEventListener("click", async () => {
      await navigator.clipboard.writeText(document.getElementById("command").textContent);
      copy.textContent = "Copied";
    });
  }
  addEventListener("beforeprint", () => folds.forEach((one) => { one.open = true; }));
})();
"""


def hash_source(text: str) -> str:
    """The name of an inline style or script in a Content-Security-Policy.

    >>> hash_source("")
    "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"
    """
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"


CONTENT_POLICY = (
    f"default-src 'none'; style-src {hash_source(STYLE)}; script-src {hash_source(SCRIPT)}; "
    "base-uri 'none'; form-action 'none'"
)
