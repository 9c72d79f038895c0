'use strict';
(() => {
  const root = document.documentElement;
  const remember = (theme) => { try { localStorage.setItem('shardlab-theme', theme); } catch { /* forbidden here */ } };
  const remembered = () => { try { return localStorage.getItem('shardlab-theme'); } catch { return null; } };
  if (remembered()) root.dataset.theme = remembered();
  document.getElementById('theme').addEventListener('click', () => {
    const dark = root.dataset.theme
      ? root.dataset.theme === 'dark'
      : matchMedia('(prefers-color-scheme: dark)').matches;
    root.dataset.theme = dark ? 'light' : 'dark';
    remember(root.dataset.theme);
  });

  // The tooltip says what the chart's table says, in the row nearest to the pointer.
  const tip = document.getElementById('tip');
  const MOST = 14;
  const fill = (table, row) => {
    tip.textContent = '';
    const list = document.createElement('dl');
    const head = table.tHead.rows[0].cells;
    const cells = [...table.tBodies[0].rows[row].cells];
    cells.slice(0, MOST).forEach((cell, at) => {
      list.append(Object.assign(document.createElement('dt'), { textContent: head[at].textContent }));
      list.append(Object.assign(document.createElement('dd'), { textContent: cell.textContent }));
    });
    tip.append(list);
    if (cells.length > MOST) tip.append(`and ${cells.length - MOST} more in the table`);
  };
  const place = (event) => {
    const box = tip.getBoundingClientRect();
    const right = event.clientX + 16 + box.width > innerWidth;
    tip.style.left = `${Math.max(4, right ? event.clientX - 16 - box.width : event.clientX + 16)}px`;
    tip.style.top = `${Math.max(4, Math.min(event.clientY + 14, innerHeight - box.height - 4))}px`;
  };
  for (const svg of document.querySelectorAll('svg[data-at]')) {
    const table = svg.closest('figure').querySelector('table');
    const at = svg.dataset.at.split(' ').filter(Boolean).map(Number);
    const [left, right, top, bottom] = svg.dataset.plot.split(' ').map(Number);
    const cursor = document.createElementNS(svg.namespaceURI, 'path');
    cursor.setAttribute('class', 'cursor');
    const hide = () => { tip.style.display = 'none'; cursor.remove(); };
    const show = (event) => {
      const box = svg.getBoundingClientRect();
      const scale = svg.viewBox.baseVal.width / box.width;
      const x = (event.clientX - box.left) * scale;
      const y = (event.clientY - box.top) * scale;
      const inside = x > left - 6 && right + 6 > x && y > top - 6 && bottom + 6 > y;
      if (!inside || !at.length || !table) return hide();
      const along = svg.dataset.along === 'x' ? x : y;
      let row = 0;
      at.forEach((place, index) => {
        if (Math.abs(at[row] - along) > Math.abs(place - along)) row = index;
      });
      cursor.setAttribute('d', svg.dataset.along === 'x'
        ? `M${at[row]} ${top}V${bottom}` : `M${left} ${at[row]}H${right}`);
      if (!cursor.isConnected) svg.append(cursor);
      fill(table, row);
      tip.style.display = 'block';
      place(event);
    };
    svg.addEventListener('pointermove', show);
    svg.addEventListener('pointerdown', show);
    svg.addEventListener('pointerleave', hide);
  }
})();
