"""How the page looks: light and dark, on a phone, in print."""

STYLE = """
:root {
  color-scheme: light dark;
  --paper: #fcfcfb; --raised: #ffffff; --ink: #1f2933; --soft: #55616e;
  --line: #e2e5e9; --accent: #2b6cb0; --dim: none;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14171b; --raised: #1b1f25; --ink: #e3e7ec; --soft: #9ca8b5;
    --line: #2d333b; --accent: #7fb6f0; --dim: brightness(0.92);
  }
}
* { box-sizing: border-box; }
html { scroll-padding-top: 3.5rem; -webkit-text-size-adjust: 100%; }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
  overflow-wrap: break-word;
}
header, main, nav ul { max-width: 74rem; margin: 0 auto; padding: 0 1.25rem; }
header { padding-top: 2.5rem; }
h1 { margin: 0; font-size: 1.9rem; line-height: 1.2; letter-spacing: -0.015em; }
h2 { margin: 0 0 0.75rem; font-size: 1.3rem; letter-spacing: -0.01em; }
p { max-width: 44rem; margin: 0 0 1rem; }
header p { margin-top: 0.5rem; color: var(--soft); }
a { color: var(--accent); }
code, pre { font: 0.875em/1.6 ui-monospace, Menlo, Consolas, monospace; }
nav {
  position: sticky; top: 0; z-index: 1; margin-top: 1.5rem;
  background: var(--paper); border-bottom: 1px solid var(--line);
}
nav ul {
  display: flex; gap: 1.25rem; overflow-x: auto; list-style: none;
  white-space: nowrap; scrollbar-width: none;
}
nav a {
  display: block; padding: 0.6rem 0; color: var(--soft); font-size: 0.9rem;
  text-decoration: none;
}
nav a:hover { color: var(--accent); }
section { padding: 2rem 0 1rem; border-bottom: 1px solid var(--line); }
section:last-child { border: 0; }
.cards {
  display: grid; gap: 0.75rem; margin: 1.5rem 0 0;
  grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr));
}
.cards div {
  padding: 0.75rem 0.9rem; background: var(--raised);
  border: 1px solid var(--line); border-radius: 0.5rem;
}
.cards dt { color: var(--soft); font-size: 0.8rem; }
.cards dd { margin: 0; font-variant-numeric: tabular-nums; }
.cards .value { font-size: 1.4rem; line-height: 1.3; font-weight: 600; }
.cards .note { color: var(--soft); font-size: 0.8rem; line-height: 1.35; }
.pictures { columns: 26rem 2; column-gap: 1.5rem; }
figure { margin: 0; padding-bottom: 1.25rem; break-inside: avoid; }
figure img {
  display: block; max-width: 100%; height: auto;
  background: #fff; border: 1px solid var(--line); border-radius: 0.5rem;
  filter: var(--dim);
}
figcaption {
  margin-top: 0.5rem; color: var(--soft); font-size: 0.875rem;
  line-height: 1.45;
}
figcaption code { white-space: nowrap; }
.scroll { overflow-x: auto; margin: 0 0 1.25rem; }
table { border-collapse: collapse; font-size: 0.9rem; line-height: 1.4; }
caption {
  max-width: calc(100vw - 2rem); padding-bottom: 0.4rem;
  color: var(--soft); font-size: 0.875rem; text-align: left;
}
th, td {
  padding: 0.35rem 1.25rem 0.35rem 0; border-top: 1px solid var(--line);
  text-align: left; vertical-align: top;
}
thead th { border-top: 0; color: var(--soft); font-weight: 500; }
tbody th { font-weight: 500; white-space: nowrap; }
td:nth-child(n + 3):last-child { min-width: 22rem; }
.number {
  text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums;
}
pre {
  margin: 0 0 1.25rem; padding: 0.8rem 1rem; overflow-x: auto;
  background: var(--raised); border: 1px solid var(--line);
  border-radius: 0.5rem;
}
summary { margin-bottom: 0.75rem; color: var(--accent); cursor: pointer; }
@media (max-width: 30rem) {
  header, main, nav ul { padding-left: 1rem; padding-right: 1rem; }
  h1 { font-size: 1.5rem; }
  .cards { grid-template-columns: repeat(2, minmax(0, 1fr)); }
}
@media print {
  nav { display: none; }
  section { border: 0; padding: 1rem 0 0; }
  pre, tr { break-inside: avoid; }
  details::details-content { content-visibility: visible; block-size: auto; }
}
"""
