"""The style sheet of a page: light and dark by the reader's choice, light on paper.

The colours of plots are the names of :class:`facematch.reports.drawing.Palette`.
"""

STYLE = """
:root { color-scheme: light dark; --page: #ffffff; --panel: #f5f7f9; --ink: #1c2128;
  --muted: #5b6570; --grid: #dde2e7; --genuine: #0072b2; --impostor: #d55e00; --mark: #8c1d40;
  --third: #009e73; --fourth: #b0568c; --fifth: #8a6d00; }
@media screen and (prefers-color-scheme: dark) { :root { --page: #14171b; --panel: #1d2126;
  --ink: #e6e9ec; --muted: #9aa4ae; --grid: #343a41; --genuine: #56b4e9; --impostor: #f08c3c;
  --mark: #f27ea0; --third: #2cc79a; --fourth: #d98fbd; --fifth: #d3b53a; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2.5rem 1.5rem 4rem; max-width: 62rem; background: var(--page);
  color: var(--ink); font: 1rem/1.55 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { margin: 0; font-size: 1.7rem; line-height: 1.25; }
h2 { margin: 2.6rem 0 .8rem; padding-top: .9rem; border-top: 1px solid var(--grid);
  font-size: 1.2rem; }
h3 { margin: 1.4rem 0 .6rem; font-size: 1rem; }
p { margin: .6rem 0; max-width: 46rem; }
.question { color: var(--muted); }
.answer { margin: 1.2rem 0; padding: .9rem 1.1rem; max-width: none; background: var(--panel);
  border-left: 4px solid var(--genuine); font-size: 1.1rem; }
.notice { padding: .6rem .9rem; max-width: none; background: var(--panel);
  border-left: 4px solid var(--impostor); }
dl { display: grid; grid-template-columns: minmax(9rem, auto) 1fr; gap: .25rem 1.2rem;
  margin: .6rem 0; }
dt { color: var(--muted); }
dd { margin: 0; font-variant-numeric: tabular-nums; }
dl.large { display: flex; flex-wrap: wrap; gap: .8rem; }
dl.large div { flex: 1 1 9rem; padding: .7rem .9rem; background: var(--panel);
  border-radius: .4rem; }
dl.large dt { font-size: .85rem; }
dl.large dd { font-size: 1.25rem; font-weight: 600; overflow-wrap: normal; }
.wide { overflow-x: auto; }
table { margin: .6rem 0 1rem; border-collapse: collapse; font-variant-numeric: tabular-nums;
  font-size: .93rem; overflow-wrap: normal; }
caption { padding-bottom: .4rem; text-align: left; color: var(--muted); }
th, td { padding: .3rem .9rem .3rem 0; text-align: right; border-bottom: 1px solid var(--grid);
  white-space: nowrap; }
th { font-weight: 500; color: var(--muted); }
th:first-child, td:first-child { text-align: left; white-space: normal; }
.figures { display: grid; grid-template-columns: repeat(auto-fill, minmax(22rem, 1fr));
  gap: 1.4rem 1.8rem; }
figure { margin: 0; min-width: 0; break-inside: avoid; }
figure h3 { margin: 0 0 .3rem; }
figure svg { display: block; width: 100%; height: auto; }
figcaption { color: var(--muted); font-size: .87rem; line-height: 1.4; }
.pairs { display: grid; grid-template-columns: repeat(auto-fill, minmax(14.5rem, 1fr));
  gap: 1rem; }
.pair { padding: .6rem; background: var(--panel); border-radius: .4rem; }
.faces { display: grid; grid-template-columns: 1fr 1fr; gap: .4rem; font-size: .75rem;
  line-height: 1.3; color: var(--muted); }
.faces img, .faces .none { display: block; width: 100%; aspect-ratio: 1; border-radius: .25rem;
  margin-bottom: .2rem; background: var(--grid); }
.pair figcaption { margin-top: .3rem; color: var(--ink); font-size: .85rem; }
pre { padding: .7rem .9rem; background: var(--panel); border-radius: .4rem; font-size: .85rem;
  white-space: pre-wrap; }
ul { margin: .6rem 0; padding-left: 1.2rem; font-size: .93rem; }
@media (max-width: 30rem) { body { padding: 1.2rem .9rem 3rem; }
  .figures { grid-template-columns: 1fr; } dl { grid-template-columns: 1fr; gap: 0; }
  dl:not(.large) dd { margin-bottom: .5rem; } }
@media print { @page { margin: 1.6cm; } body { padding: 0; max-width: none; font-size: 10pt; }
  .figures { grid-template-columns: 1fr 1fr; } tr, .pair, dl.large div { break-inside: avoid; }
  h2, h3, caption { break-after: avoid; } .answer, .notice, .pair, pre, dl.large div {
  print-color-adjust: exact; } }
"""
