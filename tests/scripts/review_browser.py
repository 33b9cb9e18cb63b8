"""The review page in a real browser: keys, undo, a new box with its mask, closing and reopening, hostile names, 20 000 objects.
Prints TAP lines; screenshots go to FOLDER.

usage: review_browser.py WEAKSAM SEGMENTER PICTURE FOLDER [CHROMIUM]"""
import base64
import hashlib
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
import urllib.request

weaksam, segmenter, picture, folder = sys.argv[1:5]
chromium = sys.argv[5] if len(sys.argv) > 5 else shutil.which('chromium') or shutil.which('chromium-browser')


def ok(good, name, detail=''):
    print(('ok - ' if good else 'not ok - ') + 'page: ' + name, flush=True)
    if not good:
        print('# ' + str(detail)[:400], flush=True)


class Socket:
    """Just enough of RFC 6455 for one peer that speaks text."""

    def __init__(self, host, port, path):
        self.s = socket.create_connection((host, port), timeout=60)
        key = base64.b64encode(os.urandom(16)).decode()
        self.s.sendall(f'GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n'
                       f'Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n'.encode())
        answer = b''
        while b'\r\n\r\n' not in answer:
            answer += self.s.recv(1)
        want = base64.b64encode(hashlib.sha1((key + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11').encode()).digest())
        assert want in answer, answer

    def send(self, text):
        data, mask = text.encode(), os.urandom(4)
        n = len(data)
        head = bytes([0x81]) + (bytes([0x80 | n]) if n < 126 else bytes([0x80 | 126]) + struct.pack('>H', n) if n < 65536
                                else bytes([0x80 | 127]) + struct.pack('>Q', n))
        self.s.sendall(head + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(data)))

    def exactly(self, n):
        data = b''
        while len(data) < n:
            data += self.s.recv(n - len(data))
        return data

    def receive(self):
        text = b''
        while True:
            first, second = self.exactly(2)
            n = second & 127
            n = struct.unpack('>H', self.exactly(2))[0] if n == 126 else struct.unpack('>Q', self.exactly(8))[0] if n == 127 else n
            text += self.exactly(n)
            if first & 0x80:
                return text.decode()


class Page:
    def __init__(self, url, width=1300, height=820, profile='profile'):
        self.browser = subprocess.Popen(
            [chromium, '--headless', '--no-sandbox', '--disable-gpu', '--remote-debugging-port=0', '--hide-scrollbars',
             f'--window-size={width},{height}', f'--user-data-dir={folder}/{profile}', 'about:blank'],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for line in self.browser.stderr:
            if 'DevTools listening on' in line:
                break
        port = int(line.split('127.0.0.1:')[1].split('/')[0])
        target = next(t for t in json.load(urllib.request.urlopen(f'http://127.0.0.1:{port}/json')) if t['type'] == 'page')
        self.socket = Socket('127.0.0.1', port, target['webSocketDebuggerUrl'].split(str(port))[1])
        self.n = 0
        self.call('Emulation.setDeviceMetricsOverride', width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.call('Page.navigate', url=url)
        self.wait("document.querySelectorAll('#rows .row').length > 0")

    def call(self, method, **params):
        self.n += 1
        self.socket.send(json.dumps(dict(id=self.n, method=method, params=params)))
        while True:
            answer = json.loads(self.socket.receive())
            if answer.get('id') == self.n:
                return answer.get('result', answer)

    def js(self, text):
        answer = self.call('Runtime.evaluate', expression=text, awaitPromise=True, returnByValue=True)
        if 'exceptionDetails' in answer:
            raise RuntimeError(answer['exceptionDetails'])
        return answer['result'].get('value')

    def wait(self, text, seconds=30):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.js(text):
                return True
            time.sleep(0.02)
        return False

    def key(self, key):
        for kind in ('keyDown', 'keyUp'):
            self.call('Input.dispatchKeyEvent', type=kind, key=key, text=key if len(key) == 1 and kind == 'keyDown' else '')
        self.js('busy')

    def mouse(self, kind, x, y):
        self.call('Input.dispatchMouseEvent', type=kind, x=x, y=y, button='left', buttons=1, clickCount=1)

    def drag(self, x0, y0, x1, y1):
        self.mouse('mousePressed', x0, y0)
        for t in (0.3, 0.6, 1):
            self.mouse('mouseMoved', x0 + t * (x1 - x0), y0 + t * (y1 - y0))
        self.mouse('mouseReleased', x1, y1)

    def shot(self, name):
        with open(os.path.join(folder, name), 'wb') as f:
            f.write(base64.b64decode(self.call('Page.captureScreenshot')['data']))

    def close(self):
        self.browser.terminate()
        self.browser.wait(30)


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
