"""A headless Chromium, driven over its DevTools socket without a library."""
import base64
import hashlib
import json
import os
import shutil
import socket
import struct
import subprocess
import time
import urllib.request


def find(given=None):
    return given or shutil.which('chromium') or shutil.which('chromium-browser')


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
    """A page at `url` that has a list of images; screenshots go to `folder`."""

    def __init__(self, chromium, folder, url, width=1300, height=820, profile='profile'):
        self.folder = folder
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
        with open(os.path.join(self.folder, name), 'wb') as f:
            f.write(base64.b64decode(self.call('Page.captureScreenshot')['data']))

    def close(self):
        self.browser.terminate()
        self.browser.wait(30)
