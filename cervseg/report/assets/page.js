'use strict';
// Rows of a case table that are shown at first; on a phone each row is a card.
const FIRST = matchMedia('(max-width: 640px)').matches ? 6 : 25;

function sortable(row, index) {
  const cell = row.cells[index];
  if (!('value' in cell.dataset)) return cell.textContent;
  return cell.dataset.value === '' ? NaN : Number(cell.dataset.value);
}

function compare(a, b) {
  return typeof a === 'string' ? a.localeCompare(b, undefined, {numeric: true}) : a - b;
}

function setUp(box) {
  const body = box.querySelector('tbody'), heads = [...box.querySelectorAll('thead th')];
  const [text, limit] = box.querySelectorAll('input'), count = box.querySelector('output');
  const more = box.querySelector('.more'), column = Number(box.dataset.column);
  let all = false;

  function update() {
    let found = 0;
    for (const row of body.rows) {
      const fits = row.cells[0].textContent.toLowerCase().includes(text.value.toLowerCase())
        && (limit.value === '' || sortable(row, column) <= Number(limit.value));
      found += fits ? 1 : 0;
      row.classList.toggle('beyond', fits && !all && found > FIRST);
      row.hidden = !fits || (!all && found > FIRST);
    }
    count.textContent = found + ' of ' + body.rows.length + ' cases';
    more.hidden = all || found <= FIRST;
    more.textContent = 'show all ' + found + ' cases';
  }

  function sortBy(head, index) {
    const descending = head.getAttribute('aria-sort') === 'ascending';
    heads.forEach(other => other.setAttribute('aria-sort', 'none'));
    head.setAttribute('aria-sort', descending ? 'descending' : 'ascending');
    const rows = [...body.rows], sign = descending ? -1 : 1;
    rows.sort((a, b) => {
      const x = sortable(a, index), y = sortable(b, index);
      if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y);
      return sign * compare(x, y);
    });
    body.append(...rows);
    update();
  }

  heads.forEach((head, index) => head.querySelector('button').addEventListener('click', () => sortBy(head, index)));
  text.addEventListener('input', update);
  limit.addEventListener('input', update);
  more.addEventListener('click', () => { all = true; update(); });
  update();
}

document.querySelectorAll('.cases').forEach(setUp);

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
