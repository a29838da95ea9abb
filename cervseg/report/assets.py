"""How a report looks and what its tables can do; both go into the page itself."""

from __future__ import annotations

STYLE = """
:root{--ink:#1a1f24;--soft:#5a6570;--ground:#fff;--plate:#f4f6f8;
--line:#d5dbe1;--accent:#0072b2;--warn:#fff3d6}
@media(prefers-color-scheme:dark){:root{--ink:#e8ecf0;--soft:#a3adb8;--ground:#14181c;--plate:#1d2329;
--line:#39424c;--accent:#6cc0ee;--warn:#4a3b12}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:1180px;padding:1rem 1.2rem 3rem;
font:16px/1.5 system-ui,sans-serif;color:var(--ink);
background:var(--ground);overflow-wrap:anywhere}
h1{font-size:1.7rem;line-height:1.2;margin:.5rem 0}
h2{font-size:1.25rem;margin:2.2rem 0 .6rem;border-bottom:1px solid var(--line);padding-bottom:.2rem}
a{color:var(--accent)}
nav ul{display:flex;flex-wrap:wrap;gap:.2rem 1.2rem;list-style:none;padding:.5rem .8rem;margin:1rem 0;
background:var(--plate);border-radius:6px}
.notice,.note,figcaption,.tools{color:var(--soft);font-size:.9rem}
.warning{background:var(--warn);padding:.5rem .8rem;border-radius:6px}
.notice{font-weight:600}
dl{display:grid;grid-template-columns:minmax(8rem,max-content) 1fr;gap:.15rem 1rem;margin:.5rem 0}
dt{color:var(--soft)}dd{margin:0}
figure{margin:1rem 0}
figure.table>figcaption{font-weight:600;color:var(--ink)}
.scroll{overflow-x:auto;max-height:34rem;overflow-y:auto;border:1px solid var(--line);border-radius:6px}
table{border-collapse:collapse;width:100%;font-size:.88rem;font-variant-numeric:tabular-nums}
th,td{padding:.32rem .6rem;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap}
th:first-child,td:first-child{text-align:left}
thead th{position:sticky;top:0;background:var(--plate)}
tbody th{font-weight:400}
.wide td,.wide th{white-space:normal;text-align:left}
.wide th:first-child{white-space:nowrap}table{overflow-wrap:normal}
tr.published{font-style:italic;color:var(--soft)}
th button{font:inherit;font-weight:600;color:inherit;background:none;border:0;cursor:pointer;padding:0}
th[aria-sort=ascending] button::after{content:" \\2191"}
th[aria-sort=descending] button::after{content:" \\2193"}
input{font:inherit;
padding:.15rem .4rem;border:1px solid var(--line);border-radius:4px;background:var(--ground);
color:inherit;max-width:10rem}
.gallery{display:grid;grid-template-columns:repeat(auto-fill,minmax(150px,1fr));gap:.8rem}
.gallery figure{margin:0}
figure button{all:unset;cursor:zoom-in;display:block}
figure button:focus-visible,th button:focus-visible{outline:2px solid var(--accent);outline-offset:2px}
figure.plot button,.gallery button{background:#fff;border-radius:4px}
img{max-width:100%;height:auto;display:block;border-radius:4px}
.gallery img{width:100%}
dialog{max-width:96vw;max-height:96vh;border:0;border-radius:8px;background:var(--ground);color:var(--ink)}
dialog img{max-height:80vh;margin:.5rem auto;background:#fff}
dialog::backdrop{background:rgba(0,0,0,.7)}
details{margin:.6rem 0}summary{cursor:pointer;color:var(--accent)}
@media(max-width:600px){body{padding:.6rem .8rem 2rem;font-size:15px}dl{grid-template-columns:1fr}
dt{margin-top:.3rem}h1{font-size:1.35rem}}
@media print{nav,.tools{display:none}
.scroll{max-height:none;overflow:visible}section{break-inside:avoid-page}}
"""

SCRIPT = """
'use strict';
for (const box of document.querySelectorAll('.cases')) {
  const body = box.querySelector('tbody'), heads = [...box.querySelectorAll('thead th')];
  const [text, limit] = box.querySelectorAll('input'), said = box.querySelector('output');
  const column = Number(box.dataset.column);
  const value = (row, index) => {
    const cell = row.cells[index];
    if (!('value' in cell.dataset)) return cell.textContent;
    return cell.dataset.value === '' ? NaN : Number(cell.dataset.value);
  };
  const compare = (a, b) => {
    if (typeof a === 'string') return a.localeCompare(b, undefined, {numeric: true});
    return a - b;
  };
  const filter = () => {
    let shown = 0;
    for (const row of body.rows) {
      const found = value(row, column), most = limit.value === '' ? Infinity : Number(limit.value);
      const fits = row.cells[0].textContent.toLowerCase().includes(text.value.toLowerCase())
        && (most === Infinity || found <= most);
      row.hidden = !fits;
      shown += fits ? 1 : 0;
    }
    said.textContent = shown + ' of ' + body.rows.length + ' cases';
  };
  heads.forEach((head, index) => head.querySelector('button').addEventListener('click', () => {
    const down = head.getAttribute('aria-sort') === 'ascending';
    heads.forEach(other => other.setAttribute('aria-sort', 'none'));
    head.setAttribute('aria-sort', down ? 'descending' : 'ascending');
    const rows = [...body.rows], sign = down ? -1 : 1;
    rows.sort((a, b) => {
      const x = value(a, index), y = value(b, index);
      if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y);
      return sign * compare(x, y);
    });
    body.append(...rows);
  }));
  text.addEventListener('input', filter);
  limit.addEventListener('input', filter);
  filter();
}
const dialog = document.querySelector('dialog'), large = dialog.querySelector('img');
for (const button of document.querySelectorAll('figure button')) {
  button.addEventListener('click', () => {
    const image = button.querySelector('img');
    large.src = image.src;
    large.alt = image.alt;
    dialog.querySelector('p').textContent = image.alt;
    dialog.showModal();
  });
}
dialog.querySelector('button').addEventListener('click', () => dialog.close());
dialog.addEventListener('click', event => { if (event.target === dialog) dialog.close(); });
"""
