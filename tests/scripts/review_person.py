"""A person who knows the truth goes through the first images of a review, by the page's own requests.

usage: review_person.py WEAKSAM OUT IMAGES TRUTH.json COUNT [SEGMENTER]

What the machine found is accepted at IoU 0.5 with the right class, else rejected; missed objects are drawn, with the segmenter's mask
where one is given; every image is marked as complete, after 8 seconds and 3 more for each object."""
import http.client
import json
import signal
import subprocess
import sys
import urllib.parse

weaksam, out, images, truth, count = sys.argv[1:6]
segmenter = sys.argv[6:7]


class Page:
    def __init__(self):
        command = [weaksam, 'review', out, '--images', images, '--quiet'] + (['-m', segmenter[0]] if segmenter else [])
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.url = urllib.parse.urlsplit(self.process.stdout.readline().strip())
        self.cookie = None
        self.cookie = self.ask('GET', '/?' + self.url.query)[1]['Set-Cookie'].split(';')[0]

    def ask(self, method, path, body=None):
        connection = http.client.HTTPConnection('127.0.0.1', self.url.port, timeout=60)
        headers = {'Cookie': self.cookie} if self.cookie else {}
        if body is not None:
            headers['Content-Type'] = 'application/json'
        connection.request(method, path, None if body is None else json.dumps(body).encode(), headers)
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        return answer.status, answer.headers, data

    def get(self, path):
        return json.loads(self.ask('GET', path)[2])

    def post(self, path, **body):
        status, _, data = self.ask('POST', path, body)
        if status != 200:
            raise RuntimeError(f'{path} {body}: {status} {data[:200]}')
        return json.loads(data)

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=60)
        return self.process.returncode


def iou(a, b):
    w = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    h = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    return w * h / (a[2] * a[3] + b[2] * b[3] - w * h) if w > 0 and h > 0 else 0.0


def objects_of(path):
    with open(path) as f:
        data = json.load(f)
    names = {c['id']: c['name'] for c in data['categories']}
    files = {i['id']: i['file_name'] for i in data['images']}
    found = {}
    for a in data['annotations']:
        found.setdefault(files[a['image_id']].rsplit('/', 1)[-1], []).append((names[a['category_id']], a['bbox']))
    return found


def main():
    known, page = objects_of(truth), Page()
    listing = page.get('/list')
    done = 0
    for at, image in enumerate(listing['images']):
        if done == int(count):
            break
        if image[3] == 2:
            continue
        done += 1
        rest = list(known.get(image[0].rsplit('/', 1)[-1], []))
        shown = page.get(f'/objects?image={at}')['objects']
        for o in sorted(shown, key=lambda o: -(o['confidence'] or o['score'])):
            name = listing['classes'][o['class']]
            hits = [k for k in rest if k[0] == name and iou(k[1], o['box']) >= 0.5]
            if o['reviewed'] == 'none':
                page.post('/set', image=at, id=o['id'], reviewed='accepted' if hits else 'rejected')
            if hits:
                rest.remove(max(hits, key=lambda k: iou(k[1], o['box'])))
        for name, box in rest:
            mask = page.post('/prompt', image=at, box=box) if segmenter else {}
            page.post('/set', image=at, id=0, reviewed='drawn', box=mask.get('box', box), counts=mask.get('counts', ''),
                      **{'class': name})
        page.post('/seconds', image=at, seconds=8 + 3 * len(known.get(image[0], [])))
        page.post('/image', image=at, review='complete', missing=False)
    return page.end()


sys.exit(main())
