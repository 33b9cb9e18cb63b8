"""Talks to `weaksam review` as a browser would, and as a hostile page would. Prints TAP lines.

usage: review_client.py WEAKSAM OUT IMAGES MODEL
OUT has masks.json with at least two objects in its first image."""
import http.client
import json
import os
import signal
import subprocess
import sys
import urllib.parse

weaksam, out, images, model = sys.argv[1:5]


def ok(good, name, detail=''):
    print(('ok - ' if good else 'not ok - ') + 'review: ' + name, flush=True)
    if not good and detail:
        print('# ' + str(detail)[:300], flush=True)


class Server:
    def __init__(self, *more):
        self.process = subprocess.Popen([weaksam, 'review', out, '--images', images, '-m', model, *more],
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.url = urllib.parse.urlsplit(self.process.stdout.readline().strip())
        self.cookie = None

    def ask(self, method, path, body=None, **headers):
        connection = http.client.HTTPConnection('127.0.0.1', self.url.port, timeout=60)
        sent = {'Host': f'127.0.0.1:{self.url.port}'}
        if self.cookie:
            sent['Cookie'] = self.cookie
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        if method == 'POST':
            sent['Content-Type'] = 'application/json'
        sent.update({k.replace('_', '-'): v for k, v in headers.items()})
        connection.request(method, path, body, {k: v for k, v in sent.items() if v})
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        return answer.status, answer.headers, data

    def post(self, path, **body):
        status, _, data = self.ask('POST', path, body)
        return status, json.loads(data)

    def get(self, path):
        return json.loads(self.ask('GET', path)[2])

    def enter(self):
        status, headers, _ = self.ask('GET', '/?' + self.url.query)
        self.cookie = (headers['Set-Cookie'] or '').split(';')[0]
        return status, headers

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        self.process.communicate(timeout=60)
        return self.process.returncode


def doors(s):
    ok(s.ask('GET', '/')[0] == 403, 'without the address there is no page')
    ok(s.ask('GET', '/?token=' + '0' * 32)[0] == 403, 'a wrong token is refused')
    ok(s.ask('GET', '/?' + s.url.query, Host='evil.example:80')[0] == 403, 'another host name is refused')
    status, headers = s.enter()
    cookie = headers['Set-Cookie'] or ''
    ok(status == 303 and headers['Location'] == '/' and 'SameSite=Strict' in cookie and 'HttpOnly' in cookie,
       'the token becomes a cookie', headers)
    kept, s.cookie = s.cookie, None
    ok(s.ask('GET', '/?' + s.url.query)[0] == 403, 'an address is good for one browser')
    s.cookie = kept
    status, headers, page = s.ask('GET', '/')
    ok(status == 200 and b'<!DOCTYPE html>' in page and "default-src 'none'" in headers['Content-Security-Policy'],
       'the page comes with a policy')
    ok(all(s.ask('GET', '/' + f)[0] == 200 for f in ('review.js', 'review.css')), 'its script and style come')
    ok(s.ask('GET', '/../../etc/passwd')[0] == 404, 'nothing else is served')
    good = dict(image=0, id=0)
    ok(s.ask('POST', '/set', good, Origin='http://evil.example')[0] == 403, 'another origin is refused')
    ok(s.ask('POST', '/set', good, Sec_Fetch_Site='cross-site')[0] == 403, 'another site is refused')
    ok(s.ask('POST', '/set', good, Content_Type='text/plain')[0] == 415, 'a form is refused')
    ok(s.ask('POST', '/set', b'[' * 100000)[0] == 400, 'deep JSON is refused')
    ok(s.ask('POST', '/set', b' ' * (5 << 20))[0] == 413, 'a long body is refused')
    for body in ({}, {'image': -1}, {'image': 1e9}, {'image': 0, 'id': 999999999, 'reviewed': 'accepted'},
                 {'image': 0, 'id': 0, 'class': 'x'}, {'image': 0, 'id': 0, 'class': 'x', 'box': [0, 0, -1, 5]},
                 {'image': 0, 'id': 0, 'class': '', 'box': [0, 0, 5, 5]},
                 {'image': 0, 'id': 0, 'class': 'x', 'box': [0, 0, 5, 5], 'counts': 'garbage!'}):
        status, answer = s.post('/set', **body)
        ok(status == 400 and 'error' in answer, f'{json.dumps(body)} is refused', answer)


def decisions(s):
    at = max(range(len(s.get('/list')['images'])), key=lambda i: len(s.get(f'/objects?image={i}')['objects']))
    first, second = s.get(f'/objects?image={at}')['objects'][:2]
    name = s.get('/list')['images'][at][0]
    s.post('/set', image=at, id=first['id'], reviewed='accepted')
    s.post('/set', image=at, id=second['id'], reviewed='rejected')
    _, mask = s.post('/prompt', image=at, box=first['box'])
    ok(mask.get('counts') and mask['path'].startswith('M'), 'a box is answered with a mask', mask)
    x, y, w, h = first['box']
    _, clicked = s.post('/prompt', image=at, points=[[x + w / 2, y + h / 2, 1]])
    ok(clicked.get('counts'), 'a click is answered with a mask', clicked)
    _, new = s.post('/set', image=at, id=0, **{'class': 'a <new> "class"'}, reviewed='drawn', box=mask['box'],
                    counts=mask['counts'])
    _, gone = s.post('/set', image=at, id=0, **{'class': 'soon gone'}, reviewed='drawn', box=[1, 1, 9, 9])
    _, back = s.post('/undo')
    ids = [o['id'] for o in s.get(f'/objects?image={at}')['objects']]
    ok(back == {'image': at} and gone['id'] not in ids and new['id'] in ids, 'undo takes the last one back', ids)
    _, wide = s.post('/set', image=at, id=0, **{'class': 'wide'}, reviewed='drawn', box=[10, 10, 1e9, 1e9])
    cut = next(o['box'] for o in s.get(f'/objects?image={at}')['objects'] if o['id'] == wide['id'])
    ok(cut[0] == 10 and cut[0] + cut[2] <= 320 and cut[1] + cut[3] <= 240, 'a box is cut to the image', cut)
    s.post('/undo')
    s.post('/image', image=at, review='complete', missing=False)
    s.post('/seconds', image=at, seconds=12.5)
    return at, name, first, second, new['id'], mask


def state(s, at):
    return sorted((o['id'], o['reviewed'], o.get('path')) for o in s.get(f'/objects?image={at}')['objects'])


def main():
    s = Server()
    ok(s.stop() == 0 and not os.path.exists(os.path.join(out, 'reviewed.json')), 'nothing decided is no file')
    s = Server()
    doors(s)
    at, name, first, second, new, mask = decisions(s)
    before = state(s, at)
    for command in (['review', out, '--images', images], ['import', os.path.join(out, 'final.json'), '--images', images,
                                                          '--into', out]):
        other = subprocess.run([weaksam, *command], capture_output=True, text=True, timeout=60)
        ok(other.returncode == 1 and 'a review of this run is open' in other.stderr, f'{command[0]} while a review is open',
           other.stderr)
    s.stop(signal.SIGKILL)
    s = Server()
    s.enter()
    ok(state(s, at) == before, 'nothing is lost when the server is killed', (before, state(s, at)))
    ok(s.stop() == 0, 'SIGTERM ends it well')
    with open(os.path.join(out, 'reviewed.json')) as f:
        data = json.load(f)
    image = next(i for i in data['images'] if i['file_name'] == name)
    classes = {c['id']: c['name'] for c in data['categories']}
    found = {a['id']: a for a in data['annotations'] if a['image_id'] == image['id']}
    ok(image['review'] == 'complete' and abs(image['seconds'] - 12.5) < 1e-6, 'reviewed.json has the image', image)
    ok(found[first['id']]['reviewed'] == 'accepted' and found[second['id']]['reviewed'] == 'rejected' and
       found[new]['reviewed'] == 'drawn' and classes[found[new]['category_id']] == 'a <new> "class"' and
       found[new]['segmentation']['counts'] == mask['counts'], 'reviewed.json has the decisions', found)
    ok(len(found) == 3, 'reviewed.json has nothing else', list(found))
    s = Server()
    s.enter()
    ok(state(s, at)[0][1] != 'none' and s.get('/list')['images'][0] is not None, 'a later review goes on from there')
    audit = sum(i[5] for i in s.get('/list')['images'])
    ok(audit == -(-4 * len(s.get('/list')['images']) // 10), 'two of five images are the sample', audit)
    s.stop()


main()
