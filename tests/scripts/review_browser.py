"""The review page in a real browser: keys, undo, a new box with its mask, closing and reopening, hostile names, 20 000 objects.
Prints TAP lines; screenshots go to FOLDER.

usage: review_browser.py WEAKSAM SEGMENTER PICTURE FOLDER [CHROMIUM]"""
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import browser
from browser import ok

weaksam, segmenter, picture, folder = sys.argv[1:5]
chromium = browser.find(sys.argv[5] if len(sys.argv) > 5 else None)


def Page(url, **options):
    return browser.Page(chromium, folder, url, **options)


class Server:
    def __init__(self, out, images):
        self.p = subprocess.Popen([weaksam, 'review', out, '--images', images, '-m', segmenter, '--seed', '3', '--quiet'],
                                  stdout=subprocess.PIPE, text=True)
        self.url = self.p.stdout.readline().strip()

    def stop(self, how=signal.SIGTERM):
        self.p.send_signal(how)
        self.p.wait(60)


def data_set(name, images, objects, names=None):
    """Copies of one picture with `objects` boxes together."""
    root = os.path.join(folder, name)
    os.makedirs(os.path.join(root, 'images'), exist_ok=True)
    names = names or [f'{i:05d}.jpg' for i in range(images)]
    annotations = []
    for i, file in enumerate(names):
        os.link(picture, os.path.join(root, 'images', file))
        for k in range(objects // images):
            x, y = 7 * k % 250, 11 * k % 190
            annotations.append(dict(id=len(annotations) + 1, image_id=i + 1, category_id=1 + k % 3, bbox=[x, y, 40, 30], area=1200,
                                    iscrowd=0, score=0.5 + 0.4 * ((k * 37 + i) % 10) / 10))
    categories = [dict(id=1, name='<b onmouseover=alert(1)>nut</b>'), dict(id=2, name='\u202egnirps'), dict(id=3, name='x' * 4000)]
    with open(os.path.join(root, 'masks.json'), 'w') as f:
        json.dump(dict(images=[dict(id=i + 1, file_name=file, width=320, height=240) for i, file in enumerate(names)],
                       annotations=annotations, categories=categories), f)
    return root


def small():
    names = ['a&amp;<script>alert(1)<script>.jpg', '\u202egpj.b.jpg', 'c' * 200 + '.jpg', "d'\".jpg", 'e.jpg']
    root = data_set('small', 5, 20, names)
    server = Server(root, os.path.join(root, 'images'))
    page = Page(server.url)
    ok(not page.js("document.querySelector('script:not([src]), b[onmouseover]')"), 'hostile names stay text')
    ok(page.js("[...document.querySelectorAll('button')].every(b => b.textContent.trim() || b.ariaLabel)"), 'every button has a name')
    page.shot('light.png')
    page.key('a')
    page.key('r')
    ok(page.js("objects.map(o => o.reviewed).join()") == 'accepted,rejected,none,none', 'a and r decide and go on',
       page.js("objects.map(o => o.reviewed).join()"))
    page.key('u')
    ok(page.js("objects.map(o => o.reviewed).join()") == 'accepted,none,none,none', 'u takes back')
    page.key('b')
    r = page.js("(() => { const r = by('view').getScreenCTM(); return [r.e, r.f, r.a]; })()")
    page.drag(r[0] + 60 * r[2], r[1] + 50 * r[2], r[0] + 150 * r[2], r[1] + 140 * r[2])
    page.wait('draft && draft.path')
    page.key('Escape')
    page.key('b')
    start = time.monotonic()
    page.drag(r[0] + 60 * r[2], r[1] + 50 * r[2], r[0] + 150 * r[2], r[1] + 140 * r[2])
    good = page.wait('draft && draft.path')
    seconds = time.monotonic() - start
    ok(good and seconds < 0.5, f'a new box has a mask after {seconds:.2f} s', seconds)
    page.shot('draft.png')
    page.key('Enter')
    ok(page.js("objects.some(o => o.reviewed === 'drawn' && o.path)"), 'Enter keeps it')
    page.key('z')
    page.shot('zoom.png')
    page.key('z')
    page.key('m')
    ok(page.js('list.images[at][MISSING]') == 1, 'm marks what is missing')
    page.key('d')
    ok(page.js('list.images[at][REVIEW]') != 2, 'd wants all objects decided')
    for _ in range(4):
        page.key('a')
    before = page.js('at')
    page.key('d')
    ok(page.js('at') == before + 1 and page.js(f'list.images[{before}][REVIEW]') == 2, 'd goes on to the next image')
    page.close()
    server.stop(signal.SIGKILL)
    server = Server(root, os.path.join(root, 'images'))
    page = Page(server.url, profile='other')
    ok(page.js('list.images.filter(i => i[REVIEW] === 2).length') == 1, 'closing and reopening loses nothing')
    page.call('Emulation.setEmulatedMedia', features=[dict(name='prefers-color-scheme', value='dark')])
    page.shot('dark.png')
    page.call('Emulation.setDeviceMetricsOverride', width=500, height=900, deviceScaleFactor=1, mobile=True)
    ok(page.js('document.documentElement.scrollWidth') <= 500, 'fits 500 pixels', page.js('document.documentElement.scrollWidth'))
    page.shot('phone.png')
    page.close()
    server.stop()


def large(objects):
    root = data_set(f'large{objects}', objects // 20, objects)
    server = Server(root, os.path.join(root, 'images'))
    start = time.monotonic()
    page = Page(server.url, profile=f'p{objects}')
    opened = time.monotonic() - start
    times = []
    for key in 'aararanpnnajk':
        start = time.monotonic()
        page.key(key)
        times.append(time.monotonic() - start)
    nodes = page.js("document.querySelectorAll('*').length")
    ok(max(times) < 0.5 and nodes < 600, f'{objects} objects: opens in {opened:.1f} s, a key takes {max(times):.2f} s at most, {nodes} elements',
       (times, nodes))
    page.close()
    server.stop()


if not chromium:
    print('ok - page # SKIP chromium is not installed')
    sys.exit(0)
shutil.rmtree(folder, ignore_errors=True)
os.makedirs(folder)
shutil.copy(picture, os.path.join(folder, 'picture.jpg'))
picture = os.path.join(folder, 'picture.jpg')
small()
large(2000)
large(20000)
