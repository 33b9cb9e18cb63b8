// The review page as one file: what a server answers elsewhere comes from the data in the page, decisions are kept by the browser and
// leave as a file of marks, which can be read again.
'use strict';
window.offline = (() => {
  const data = JSON.parse(document.getElementById('data').textContent);
  const place = 'weaksam-review-' + data.checksum, REVIEWS = ['none', 'partial', 'complete'];
  let marks = {}, steps = [], nextId = -1;
  for (const o of data.instances) nextId = Math.min(nextId, o.id - 1);
  const fresh = () => ({objects: {}, images: {}, drawn: []});
  const names = data.pictures.map(p => p.name);
  const scale = p => data.pictures[p].width / data.pictures[p].w;
  const byPicture = data.pictures.map(() => []);
  for (const o of data.instances) byPicture[o.picture].push(o);

  function save() {
    try { localStorage.setItem(place, JSON.stringify(marks)); } catch (e) { /* the file is what counts */ }
  }
  function restore() {
    marks = fresh();
    try { Object.assign(marks, JSON.parse(localStorage.getItem(place) || '{}')); } catch (e) { marks = fresh(); }
    for (const d of marks.drawn) nextId = Math.min(nextId, d.id - 1);
  }
  const imageOf = p => marks.images[names[p]] || {};
  const reviewOf = p => imageOf(p).review || data.pictures[p].review || 'none';
  function setImage(p, values) {
    marks.images[names[p]] = Object.assign({}, imageOf(p), values);
  }
  function began(p) {
    if (reviewOf(p) === 'none') setImage(p, {review: 'partial'});
  }
  function objectsOf(p) {
    const found = byPicture[p].map(o => {
      const m = marks.objects[o.id] || {};
      return Object.assign({}, o, m, {class: m.class === undefined ? o.class : classOf(m.class)});
    });
    const drawn = marks.drawn.filter(d => d.image === names[p]).map(d =>
      ({id: d.id, class: classOf(d.class), reviewed: 'drawn', box: d.bbox.map(v => v / scale(p)), score: 1, confidence: 0}));
    return found.concat(drawn);
  }
  function classOf(name) {
    if (!data.classes.includes(name)) data.classes.push(name);
    return data.classes.indexOf(name);
  }
  function remember(p) {
    steps.push({image: p, marks: JSON.stringify(marks)});
    if (steps.length > 200) steps.shift();
  }
  function set(body) {
    const p = body.image, id = body.id || nextId, drawn = marks.drawn.findIndex(d => d.id === id);
    remember(p);
    if (!body.id || drawn >= 0) {
      const d = drawn >= 0 ? marks.drawn[drawn] : {id: nextId--, image: names[p]};
      if (body.class) d.class = body.class;
      if (body.box) d.bbox = body.box.map(v => Math.round(100 * v * scale(p)) / 100);
      if (drawn < 0) marks.drawn.push(d);
      else if (body.remove || body.reviewed === 'rejected') marks.drawn.splice(drawn, 1);
    } else if (body.box) { // a corrected box: the old one was wrong
      const old = byPicture[p].find(o => o.id === id);
      marks.objects[id] = Object.assign({}, marks.objects[id], {reviewed: 'rejected'});
      marks.drawn.push({id: nextId--, image: names[p], class: body.class || data.classes[old.class],
        bbox: body.box.map(v => Math.round(100 * v * scale(p)) / 100)});
    } else {
      const o = Object.assign({}, marks.objects[id]);
      if (body.class) o.class = body.class;
      if (body.reviewed) o.reviewed = body.reviewed;
      marks.objects[id] = o;
    }
    began(p);
    return {id};
  }
  function undo() {
    const step = steps.pop();
    if (!step) return {image: null};
    marks = JSON.parse(step.marks);
    return {image: step.image};
  }
  function image(body) {
    remember(body.image);
    const values = {};
    if (body.review) values.review = body.review;
    if (body.missing !== undefined) values.missing = body.missing;
    setImage(body.image, values);
    if (body.missing) began(body.image);
    return {};
  }
  function list() {
    return {prompts: false, classes: data.classes, images: data.pictures.map((p, i) => {
      const all = objectsOf(i);
      return [p.name, p.w, p.h, REVIEWS.indexOf(reviewOf(i)), imageOf(i).missing ? 1 : 0, 0,
        all.filter(o => o.reviewed === 'none').length, all.length];
    })};
  }
  // Like a server: every answer is a copy.
  async function ask(url, body) {
    let answer = {};
    if (url === '/list') return list();
    if (url.startsWith('/objects?image=')) return {objects: objectsOf(+url.slice(15))};
    if (url === '/set') answer = set(body);
    else if (url === '/image') answer = image(body);
    else if (url === '/undo') answer = undo();
    else if (url === '/seconds') setImage(body.image, {seconds: (imageOf(body.image).seconds || 0) + body.seconds});
    save();
    return answer;
  }
  const words = {accepted: 'accept', rejected: 'reject'};
  function toText() {
    const out = {checksum: data.checksum}, classes = {}, images = {};
    for (const id in marks.objects) {
      const o = marks.objects[id];
      if (words[o.reviewed]) out[id] = words[o.reviewed];
      if (o.class !== undefined && o.reviewed !== 'rejected') classes[id] = o.class;
    }
    for (const name in marks.images) images[name] = marks.images[name];
    if (Object.keys(classes).length) out.classes = classes;
    if (marks.drawn.length) out.drawn = marks.drawn.map(d => ({image: d.image, class: d.class, bbox: d.bbox}));
    if (Object.keys(images).length) out.images = images;
    return JSON.stringify(out, null, 1) + '\n';
  }
  function fromText(text) {
    const from = JSON.parse(text), next = fresh(), known = new Set(data.instances.map(o => String(o.id)));
    if (from.checksum !== data.checksum) throw new Error('These marks are about another data set.');
    for (const id in from) {
      const word = from[id] === 'accept' ? 'accepted' : from[id] === 'reject' ? 'rejected' : '';
      if (word && known.has(id)) next.objects[id] = {reviewed: word};
    }
    for (const id in from.classes || {})
      if (known.has(id)) next.objects[id] = Object.assign(next.objects[id] || {}, {class: String(from.classes[id])});
    for (const d of from.drawn || [])
      if (names.includes(d.image) && Array.isArray(d.bbox))
        next.drawn.push({id: nextId--, image: d.image, class: String(d.class), bbox: d.bbox.slice(0, 4).map(Number)});
    for (const name in from.images || {}) if (names.includes(name)) next.images[name] = from.images[name];
    remember(0);
    marks = next;
    save();
  }
  restore();
  return {ask, picture: p => data.pictures[p].src || '', toText, fromText, clear: () => { remember(0); marks = fresh(); save(); }};
})();
