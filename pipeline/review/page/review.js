// The review page, on a server or as one file (report.js). It only ever sets textContent and attributes: names from files are never markup.
'use strict';
const by = id => document.getElementById(id), svgNS = 'http://www.w3.org/2000/svg', ROW = 34;
const NAME = 0, WIDTH = 1, HEIGHT = 2, REVIEW = 3, MISSING = 4, OPEN = 6, OBJECTS = 7;
const REVIEWS = ['none', 'partial', 'complete'];
let list = null, at = 0, objects = [], selected = -1, zoomed = false, mode = '', draft = null, lastClass = '';
let view = [0, 0, 1, 1], looking = 0, lastAct = performance.now(), busy = Promise.resolve();

function make(tag, name, text) {
  const e = document.createElement(tag);
  if (name) e.className = name;
  if (text !== undefined) e.textContent = text;
  return e;
}
function draw(tag, attributes) {
  const e = document.createElementNS(svgNS, tag);
  for (const k in attributes) e.setAttribute(k, attributes[k]);
  return e;
}
function say(text, bad) {
  by('say').textContent = text;
  by('say').className = bad ? 'bad' : '';
}

/* ---- the server ---- */

const offline = window.offline || null;
const pictureOf = i => offline ? offline.picture(i) : '/image?image=' + i;
async function ask(url, body) {
  if (offline) return offline.ask(url, body);
  const answer = await fetch(url, body === undefined ? {} :
    {method: 'POST', headers: {'Content-Type': 'application/json'}, body: JSON.stringify(body)});
  const text = await answer.text();
  let value = null;
  try { value = JSON.parse(text); } catch (e) { /* not JSON: the text is the message */ }
  if (!answer.ok) throw new Error(value && value.error || text || 'the server does not answer');
  return value;
}
// One after the other, in the order of the keys.
function then(work) {
  busy = busy.then(work).catch(e => say(e.message === 'Failed to fetch' ?
    'The server has ended. Everything up to here is kept.' : e.message, true));
  return busy;
}

/* ---- the list of images ---- */

function rowOf(i) {
  const image = list.images[i], row = make('button', 'row');
  const dot = make('span', 'dot ' + REVIEWS[image[REVIEW]] + (image[MISSING] ? ' missing' : ''));
  row.type = 'button';
  row.tabIndex = -1;
  row.style.top = i * ROW + 'px';
  row.append(dot, make('span', 'file', image[NAME]), make('span', 'open', image[OPEN] || ''));
  row.setAttribute('aria-label', image[NAME] + ', ' + (image[REVIEW] === 2 ? 'done' : image[OPEN] + ' to decide'));
  if (i === at) row.setAttribute('aria-current', 'true');
  row.addEventListener('click', () => then(() => go(i)));
  return row;
}
// Only the rows that can be seen are in the document.
function drawRows() {
  const nav = by('images'), first = Math.max(0, Math.floor(nav.scrollTop / ROW) - 5);
  const last = Math.min(list.images.length, first + Math.ceil(nav.clientHeight / ROW) + 10);
  const rows = [];
  for (let i = first; i < last; i++) rows.push(rowOf(i));
  by('rows').style.height = list.images.length * ROW + 'px';
  by('rows').replaceChildren(...rows);
}
function progress() {
  const done = list.images.filter(i => i[REVIEW] === 2).length, open = list.images.reduce((n, i) => n + i[OPEN], 0);
  by('progress').textContent = done + ' of ' + list.images.length + ' images done \u00b7 ' + open + ' objects to decide';
}
function recount() {
  const image = list.images[at];
  image[OPEN] = objects.filter(o => o.reviewed === 'none').length;
  image[OBJECTS] = objects.length;
  if (image[REVIEW] === 0 && objects.some(o => o.reviewed !== 'none')) image[REVIEW] = 1;
  progress();
  drawRows();
}

/* ---- the picture ---- */

function setView(x, y, w, h) {
  view = [x, y, w, h];
  by('view').setAttribute('viewBox', view.map(v => v.toFixed(2)).join(' '));
}
function fit() {
  const image = list.images[at];
  if (zoomed && selected >= 0) {
    const [x, y, w, h] = objects[selected].box, m = 0.4 * Math.max(w, h) + 8;
    setView(x - m, y - m, w + 2 * m, h + 2 * m);
  } else {
    setView(0, 0, image[WIDTH], image[HEIGHT]);
  }
}
function shapeOf(o, name) {
  const [x, y, width, height] = o.box;
  return o.path ? draw('path', {d: o.path, class: name}) : draw('rect', {x, y, width, height, class: name});
}
function drawView() {
  const image = list.images[at], svg = by('view');
  const shapes = objects.map((o, i) => {
    const s = shapeOf(o, o.reviewed + (i === selected ? ' selected' : ''));
    s.addEventListener('click', e => { if (!mode && !moved) { e.stopPropagation(); select(i); } });
    return s;
  });
  if (selected >= 0) shapes.push(shapes.splice(selected, 1)[0]); // on top
  if (draft && draft.box) shapes.push(shapeOf(draft, 'draft'));
  const picture = svg.firstChild && svg.firstChild.dataset.at === String(at) ? svg.firstChild :
    draw('image', {href: pictureOf(at), width: image[WIDTH], height: image[HEIGHT],
      preserveAspectRatio: 'none', 'data-at': at});
  svg.replaceChildren(picture, ...shapes);
  svg.classList.toggle('draw', mode !== '');
}

/* ---- the list of objects ---- */

const sure = o => o.confidence > 0 ? 'confidence ' + o.confidence.toFixed(2) :
  typeof o.score === 'number' ? 'score ' + o.score.toFixed(2) : 'no score';
const state = {none: 'to decide', accepted: 'accepted', drawn: 'drawn', rejected: 'rejected'};
function drawObjects() {
  by('objects').replaceChildren(...objects.map((o, i) => {
    const b = make('button', 'object ' + o.reviewed), name = list.classes[o.class];
    b.type = 'button';
    b.setAttribute('role', 'option');
    b.setAttribute('aria-selected', i === selected);
    b.setAttribute('aria-label', name + ', object ' + (i + 1) + ' of ' + objects.length + ', ' + state[o.reviewed]);
    b.tabIndex = i === selected ? 0 : -1;
    b.append(make('span', 'class', name), make('span', 'sure', o.reviewed === 'drawn' ? '' : sure(o)),
      make('span', 'state', state[o.reviewed]));
    b.addEventListener('click', () => select(i));
    return b;
  }));
  const on = by('objects').children[selected];
  if (on) on.scrollIntoView({block: 'nearest'});
}
function drawClasses() {
  const now = selected >= 0 ? list.classes[objects[selected].class] : lastClass;
  by('class').replaceChildren(...list.classes.map(name => {
    const o = make('option', '', name);
    o.value = name;
    o.selected = name === now;
    return o;
  }), make('option', '', 'another class \u2026'));
}
function refresh() {
  drawView();
  drawObjects();
  drawClasses();
  for (const b of by('tools').children) {
    if (b.dataset.do === 'missing') b.setAttribute('aria-pressed', !!list.images[at][MISSING]);
    if (b.dataset.do === 'zoom') b.setAttribute('aria-pressed', zoomed);
    if (b.dataset.do === 'box') b.setAttribute('aria-pressed', mode === 'box');
    if (b.dataset.do === 'edit') b.setAttribute('aria-pressed', mode === 'edit');
  }
}
function select(i) {
  selected = i;
  if (zoomed) fit();
  refresh();
}
function nextOpen(from) {
  for (let k = 0; k < objects.length; k++)
    if (objects[(from + k) % objects.length].reviewed === 'none') return (from + k) % objects.length;
  return -1;
}

/* ---- time ---- */

// Time counts while somebody does something: gaps are cut at half a minute.
function act() {
  const now = performance.now();
  looking += Math.min(30, (now - lastAct) / 1000);
  lastAct = now;
}
async function report() {
  act();
  const seconds = Math.min(3600, looking);
  looking = 0;
  if (seconds >= 0.5) await ask('/seconds', {image: at, seconds});
}

/* ---- moving ---- */

async function load() {
  objects = (await ask('/objects?image=' + at)).objects;
  selected = nextOpen(0) >= 0 ? nextOpen(0) : objects.length ? 0 : -1;
}
async function go(i) {
  if (i < 0 || i >= list.images.length) return say(i < 0 ? 'This is the first image.' : 'This was the last image.');
  await report();
  cancel();
  at = i;
  await load();
  zoomed = false;
  by('name').textContent = list.images[at][NAME];
  const nav = by('images');
  if (at * ROW < nav.scrollTop || (at + 1) * ROW > nav.scrollTop + nav.clientHeight)
    nav.scrollTop = at * ROW - nav.clientHeight / 3;
  fit();
  refresh();
  recount();
  say(objects.length ? '' : 'Nothing was found here. b draws a box, d says that it is right.');
  if (at + 1 < list.images.length && !offline) new Image().src = pictureOf(at + 1);
}

/* ---- decisions ---- */

async function decide(word) {
  if (draft) return keep();
  if (selected < 0) return say('No object is selected.');
  const o = objects[selected];
  await ask('/set', {image: at, id: o.id, reviewed: word});
  o.reviewed = word;
  const next = nextOpen(selected + 1);
  select(next >= 0 ? next : selected);
  recount();
  say(next >= 0 ? list.classes[o.class] + ' ' + word + '.' :
    'All objects are decided: d when nothing is missing, m when something is.');
}
async function relabel(name) {
  if (name && !list.classes.includes(name)) list.classes.push(name);
  lastClass = name;
  if (selected >= 0 && !draft && name !== list.classes[objects[selected].class]) {
    const o = objects[selected];
    const reviewed = o.reviewed === 'drawn' ? 'drawn' : 'accepted';
    await ask('/set', {image: at, id: o.id, class: name, reviewed});
    Object.assign(o, {class: list.classes.indexOf(name), reviewed});
    recount();
    say('The class is ' + name + ' now.');
  }
  refresh();
}
async function remove() {
  const o = objects[selected];
  if (!o || o.reviewed !== 'drawn') return say('Only objects that you drew can be removed; r rejects others.');
  await ask('/set', {image: at, id: o.id, remove: true, reviewed: 'none'});
  objects.splice(selected, 1);
  selected = Math.min(selected, objects.length - 1);
  refresh();
  recount();
}
async function missing() {
  const on = !list.images[at][MISSING];
  await ask('/image', {image: at, missing: on});
  list.images[at][MISSING] = on ? 1 : 0;
  if (on && !list.images[at][REVIEW]) list.images[at][REVIEW] = 1;
  refresh();
  recount();
  say(on ? 'Marked: objects are missing here.' : 'Nothing is missing here.');
}
async function done() {
  if (draft) await keep();
  const open = objects.filter(o => o.reviewed === 'none').length;
  if (open) return say('There ' + (open === 1 ? 'is 1 object' : 'are ' + open + ' objects') + ' left to decide.', true);
  await ask('/image', {image: at, review: 'complete', missing: false});
  list.images[at][REVIEW] = 2;
  list.images[at][MISSING] = 0;
  recount();
  let next = at + 1;
  while (next < list.images.length && list.images[next][REVIEW] === 2) next++;
  if (next < list.images.length) return go(next);
  await report();
  say('That was the last image.');
}
async function undo() {
  if (draft || mode) return cancel();
  const answer = await ask('/undo', {});
  if (answer.image === null) return say('There is nothing to undo.');
  list = Object.assign(await ask('/list'), {});
  await go(answer.image);
  say('Undone.');
}

/* ---- new and corrected masks ---- */

function cancel() {
  draft = null;
  mode = '';
  if (list) refresh();
}
async function askMask() {
  const body = {image: at};
  if (draft.points.length) body.points = draft.points;
  if (draft.hand) body.box = draft.hand;
  if (!list.prompts) return Object.assign(draft, {box: draft.hand});
  const mask = await ask('/prompt', body);
  if (!mask.box) return say('The segmenter finds nothing there.', true);
  Object.assign(draft, mask);
}
async function begin(box, id) {
  draft = {hand: box, points: [], id, box};
  mode = 'edit';
  await askMask();
  refresh();
  say(list.prompts ? 'Click to add or remove, Enter keeps it, Esc drops it.' : 'Enter keeps the box, Esc drops it.');
}
async function keep() {
  if (!draft || !draft.box) return cancel();
  const known = objects.find(o => o.id === draft.id);
  const name = known ? list.classes[known.class] : by('class').value;
  const body = {image: at, id: draft.id || 0, class: name, reviewed: 'drawn', box: draft.box, counts: draft.counts || ''};
  const {id} = await ask('/set', body);
  const o = {id, class: list.classes.indexOf(name), reviewed: 'drawn', box: draft.box, path: draft.path, score: 1, confidence: 0};
  if (known) Object.assign(known, o, {path: draft.path});
  else objects.push(o);
  lastClass = name;
  const i = objects.findIndex(p => p.id === id);
  cancel();
  select(i);
  recount();
  say(name + ' kept.');
}
function toImage(e) {
  const p = new DOMPoint(e.clientX, e.clientY).matrixTransform(by('view').getScreenCTM().inverse());
  return [p.x, p.y];
}
// Whether a point lies in the mask that is being made.
function inDraft([x, y]) {
  const shape = by('view').querySelector('.draft');
  return !!shape && shape.isPointInFill && shape.isPointInFill(new DOMPoint(x, y));
}
async function point(at) {
  draft.points.push([at[0], at[1], inDraft(at) ? 0 : 1]);
  await askMask();
  refresh();
}

/* ---- pointer ---- */

let down = null, moved = false;
const clamp = (v, low, high) => Math.min(high, Math.max(low, v));
function handBox(a, b) {
  const image = list.images[at];
  const x0 = clamp(Math.min(a[0], b[0]), 0, image[WIDTH]), x1 = clamp(Math.max(a[0], b[0]), 0, image[WIDTH]);
  const y0 = clamp(Math.min(a[1], b[1]), 0, image[HEIGHT]), y1 = clamp(Math.max(a[1], b[1]), 0, image[HEIGHT]);
  return [x0, y0, x1 - x0, y1 - y0];
}
by('view').addEventListener('pointerdown', e => {
  if (e.button) return;
  down = {screen: [e.clientX, e.clientY], image: toImage(e), view: [...view]};
  moved = false;
  if (mode === 'box') by('view').setPointerCapture(e.pointerId);
});
by('view').addEventListener('pointermove', e => {
  if (!down) return;
  const dx = e.clientX - down.screen[0], dy = e.clientY - down.screen[1];
  moved = moved || Math.hypot(dx, dy) > 4;
  if (!moved) return;
  if (mode === 'box') {
    const [x, y, width, height] = handBox(down.image, toImage(e)), old = by('view').querySelector('.hand');
    if (old) old.remove();
    by('view').append(draw('rect', {x, y, width, height, class: 'hand'}));
  } else {
    const scale = by('view').getScreenCTM().a;
    setView(down.view[0] - dx / scale, down.view[1] - dy / scale, down.view[2], down.view[3]);
  }
});
by('view').addEventListener('pointerup', e => {
  const from = down;
  down = null;
  if (!from) return;
  if (mode === 'box' && moved) {
    const box = handBox(from.image, toImage(e));
    if (box[2] >= 2 && box[3] >= 2) then(() => begin(box, 0));
  } else if (mode === 'edit' && !moved && list.prompts) {
    then(() => point(from.image));
  }
});
by('view').addEventListener('wheel', e => {
  const [x, y] = toImage(e), f = e.deltaY > 0 ? 1.2 : 1 / 1.2;
  setView(x - (x - view[0]) * f, y - (y - view[1]) * f, view[2] * f, view[3] * f);
  e.preventDefault();
}, {passive: false});

/* ---- keys and buttons ---- */

const work = {
  accept: () => decide('accepted'), reject: () => decide('rejected'), missing, done, undo, remove,
  edit: () => selected >= 0 ? begin(objects[selected].box, objects[selected].id) : say('No object is selected.'),
  box: () => { cancel(); mode = 'box'; refresh(); say('Drag a box around the object.'); },
  zoom: () => { zoomed = !zoomed; fit(); refresh(); },
  next: () => select(objects.length ? (selected + 1) % objects.length : -1),
  previous: () => select(objects.length ? (selected + objects.length - 1) % objects.length : -1),
  nextImage: () => go(at + 1), previousImage: () => go(at - 1), keep,
  cancel: () => { cancel(); zoomed = false; fit(); refresh(); say(''); },
  classes: () => by('class').focus(), help: () => by('help').showModal()
};
const keys = {a: 'accept', r: 'reject', e: 'edit', b: 'box', m: 'missing', d: 'done', u: 'undo', z: 'zoom', c: 'classes',
  j: 'next', k: 'previous', ArrowDown: 'next', ArrowUp: 'previous', n: 'nextImage', p: 'previousImage',
  ArrowRight: 'nextImage', ArrowLeft: 'previousImage', Enter: 'keep', Escape: 'cancel', Delete: 'remove', '?': 'help'};
document.addEventListener('keydown', e => {
  const tag = e.target.tagName;
  if (e.ctrlKey || e.metaKey || e.altKey || !list || document.querySelector('dialog[open]') || tag === 'SELECT' || tag === 'INPUT') return;
  if (!keys[e.key] || (e.key === 'Enter' && !draft)) return; // Enter presses the button that has the focus
  e.preventDefault();
  act();
  then(work[keys[e.key]]);
});
by('tools').addEventListener('click', e => {
  const b = e.target.closest('button');
  if (!b) return;
  act();
  then(work[b.dataset.do]);
});
by('class').addEventListener('change', () => {
  const select = by('class');
  let name = select.value;
  if (select.selectedIndex === list.classes.length) name = (window.prompt('Name of the class:') || '').trim();
  select.blur();
  if (name) then(() => relabel(name)); else drawClasses();
});
by('keys').addEventListener('click', () => by('help').showModal());
by('images').addEventListener('scroll', drawRows);
window.addEventListener('resize', () => { if (list) drawRows(); });
window.addEventListener('pagehide', () => {
  act();
  if (looking >= 0.5 && list && offline) offline.ask('/seconds', {image: at, seconds: Math.min(3600, looking)});
  else if (looking >= 0.5 && list)
    fetch('/seconds', {method: 'POST', keepalive: true, headers: {'Content-Type': 'application/json'},
      body: JSON.stringify({image: at, seconds: Math.min(3600, looking)})});
});
async function start() {
  list = await ask('/list');
  lastClass = list.classes[0] || '';
  if (!list.images.length) return say('There are no images in this data set.', true);
  at = 0;
  looking = 0;
  const first = list.images.findIndex(i => i[REVIEW] !== 2);
  await go(Math.max(0, first));
}

/* ---- marks as a file ---- */

for (const e of document.querySelectorAll('[data-file]')) e.hidden = !offline;
for (const e of document.querySelectorAll('[data-server]')) e.hidden = !!offline;
by('export').addEventListener('click', () => then(async () => {
  await report();
  const a = make('a');
  a.href = URL.createObjectURL(new Blob([offline.toText()], {type: 'application/json'}));
  a.download = 'review.json';
  a.click();
  setTimeout(() => URL.revokeObjectURL(a.href), 1000);
  say('review.json has all marks: weaksam import review.json --images FOLDER --into OUT takes them.');
}));
by('load').addEventListener('click', () => by('marks').click());
by('marks').addEventListener('change', () => {
  const file = by('marks').files[0];
  by('marks').value = '';
  if (file) then(async () => { offline.fromText(await file.text()); await start(); say('The marks are loaded; u takes that back.'); });
});
by('about').addEventListener('click', () => by('judgement-box').showModal());
by('about').hidden = !by('judgement-box').querySelector('section');
/* How well classes are told apart comes before the first decision. */
then(async () => {
  await start();
  if (!by('about').hidden && !list.images.some(i => i[REVIEW])) by('judgement-box').showModal();
});
