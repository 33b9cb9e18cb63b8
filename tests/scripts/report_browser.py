"""A report in a real browser, from its file: whole images, keys, undo, a new box, missing objects, export, loading back.
Prints TAP lines; screenshots and review.json go to FOLDER.

usage: report_browser.py PAGE.html FOLDER [CHROMIUM]"""
import json
import os
import sys

import browser
from browser import ok

file, folder = sys.argv[1:3]
chromium = browser.find(sys.argv[3] if len(sys.argv) > 3 else None)
if not chromium:
    print('ok - report page # SKIP chromium is not installed')
    sys.exit(0)
os.makedirs(folder, exist_ok=True)
url = 'file://' + os.path.abspath(file)


def states(page):
    return page.js("objects.map(o => o.reviewed).join()")


page = browser.Page(chromium, folder, url, profile='report')
data = page.js("JSON.parse(document.getElementById('data').textContent)")
ok(page.js('list.images.length') == len(data['pictures']), 'all images are listed, those without an object, too')
ok(page.js("by('view').querySelectorAll('path, rect').length") == page.js('objects.length') > 0, 'an image shows all its objects')
ok(page.js("[...document.querySelectorAll('button')].every(b => b.hidden || b.textContent.trim() || b.ariaLabel)"), 'every button has a name')
ok(page.js("getComputedStyle(document.querySelector('[data-do=edit]')).display") == 'none', 'nothing asks for a segmenter')
first = page.js('objects.length')
page.key('a')
ok(states(page).startswith('accepted') and page.js('selected') == min(1, first - 1), 'a decides and goes on', states(page))
page.key('r')
page.key('u')
ok(states(page).count('rejected') == 0 and states(page).startswith('accepted'), 'u takes back', states(page))
page.key('r')
page.key('b')
r = page.js("(() => { const r = by('view').getScreenCTM(); return [r.e, r.f, r.a]; })()")
page.drag(r[0] + 20 * r[2], r[1] + 10 * r[2], r[0] + 60 * r[2], r[1] + 50 * r[2])
page.wait('draft && draft.box')
page.key('Enter')
ok(states(page).split(',').count('drawn') == 1, 'b draws a box, Enter keeps it', states(page))
page.key('m')
ok(page.js('list.images[at][MISSING]') == 1, 'm marks what is missing')
page.shot('light.png')
text = page.js('offline.toText()')
with open(os.path.join(folder, 'review.json'), 'w') as f:
    f.write(text)
marks = json.loads(text)
name = page.js('list.images[at][NAME]')
drawn = marks['drawn'][0]['bbox']
scale = data['pictures'][0]['width'] / data['pictures'][0]['w']
ok(marks['checksum'] == data['checksum'] and sorted(v for v in marks.values() if isinstance(v, str) and v in ('accept', 'reject')) ==
   ['accept'] + ['reject'] * (first > 1), 'the export has the marks', text)
ok(abs(drawn[0] - 20 * scale) < 2 * scale and abs(drawn[2] - 40 * scale) < 2 * scale, 'boxes are in pixels of the image', drawn)
ok(marks['images'][name]['missing'] is True, 'and what is missing', text)
before = states(page)
page.js('window.before = true; location.reload()')
page.wait("!window.before && typeof list === 'object' && list && document.querySelectorAll('#rows .row').length > 0")
page.js('busy')
ok(page.js('objects.length') == before.count(',') + 1 and states(page) == before, 'a closed page keeps its marks', states(page))
page.js('offline.clear()')
page.js('start()')
ok(states(page).replace('none', '').strip(',') == '', 'marks can be cleared', states(page))
page.js(f'offline.fromText({json.dumps(text)})')
page.js('start()')
ok(states(page) == before and page.js('list.images[at][MISSING]') == 1, 'a review can be loaded back', states(page))
ok(page.js("(() => { try { offline.fromText('{\"checksum\":\"0\"}'); return ''; } catch (e) { return e.message; } })()") ==
   'These marks are about another data set.', 'but not one of another data set')
for _ in range(page.js('objects.length')):
    if page.js('nextOpen(0)') >= 0:
        page.key('a')
page.key('m')
page.key('d')
ok(page.js('list.images[0][REVIEW]') == 2 and page.js('at') == 1, 'd ends an image and goes on')
page.key('?')
ok('cube root' in page.js("document.querySelector('dialog[open]').textContent"), 'score and confidence are explained')
page.key('Escape')
page.call('Emulation.setEmulatedMedia', features=[dict(name='prefers-color-scheme', value='dark')])
page.shot('dark.png')
page.call('Emulation.setDeviceMetricsOverride', width=500, height=900, deviceScaleFactor=1, mobile=True)
ok(page.js('document.documentElement.scrollWidth') <= 500, 'fits 500 pixels', page.js('document.documentElement.scrollWidth'))
page.shot('phone.png')
page.close()
