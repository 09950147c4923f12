'use strict';

// What a browser does on a site, over one HTTP/2 connection: a page and what belongs to it, a form, a WebSocket by
// extended CONNECT (RFC 8441). It prints one line for each step. Usage: node session.js https://127.0.0.1:PORT HOST

const http2 = require('node:http2');

const [origin, host] = process.argv.slice(2);
const session = http2.connect(origin, { rejectUnauthorized: false, servername: host });
const fail = (err) => { console.log('failed: ' + err.message); process.exit(1); };
session.on('error', fail);
session.on('goaway', (code) => fail(new Error('GOAWAY ' + code)));

/** ask makes one request and returns its status, fields and body. */
function ask(method, path, fields = {}, body = null) {
  return new Promise((resolve, reject) => {
    const stream = session.request({ ':method': method, ':path': path, ':authority': host, ...fields }, { endStream: body === null });
    let reply = null;
    let bytes = 0;
    let text = '';
    stream.on('response', (head) => { reply = head; });
    stream.on('data', (piece) => { bytes += piece.length; if (text.length < 4096) text += piece; });
    stream.on('end', () => resolve({ status: reply[':status'], head: reply, bytes, text }));
    stream.on('error', reject);
    if (body !== null) stream.end(body);
  });
}

/** frame makes a masked WebSocket frame (RFC 6455, 5.2) of a short payload. */
function frame(first, payload) {
  const data = Buffer.from(payload);
  const mask = [1, 2, 3, 4];
  return Buffer.concat([Buffer.from([first, 0x80 | data.length, ...mask]), data.map((b, i) => b ^ mask[i % 4])]);
}

/** chat opens a WebSocket, sends a word and returns what came. */
function chat(word) {
  return new Promise((resolve, reject) => {
    const stream = session.request({
      ':method': 'CONNECT', ':protocol': 'websocket', ':path': '/wstunnel/?greet=1', ':scheme': 'https', ':authority': host,
      'sec-websocket-version': '13',
    }, { endStream: false });
    const words = [];
    let status = 0;
    let rest = Buffer.alloc(0);
    stream.on('response', (head) => { status = head[':status']; });
    stream.on('data', (piece) => {
      rest = Buffer.concat([rest, piece]);
      while (rest.length >= 2 && rest.length >= 2 + rest[1]) {
        words.push(rest[0] === 0x88 ? 'closed' : rest.subarray(2, 2 + rest[1]).toString());
        rest = rest.subarray(2 + rest[1]);
        if (words.length === 1) stream.write(frame(0x81, word));
        if (words.length === 2) stream.write(frame(0x88, Buffer.from([3, 232])));
      }
    });
    stream.on('end', () => { stream.end(); resolve({ status, words }); });
    stream.on('error', reject);
  });
}

async function main() {
  await new Promise((resolve) => session.once('remoteSettings', resolve));
  console.log('websocket offered: ' + session.remoteSettings.enableConnectProtocol);
  const home = await ask('GET', '/');
  console.log(`home: ${home.status} ${home.head.location}`);
  const page = await ask('GET', '/webapp/');
  const server = page.head['x-server'];
  console.log(`page: ${page.status} ${page.text.includes('<h1>Hello world</h1>')} ${page.head.server.split('/')[0]}`);
  const assets = await Promise.all(Array.from({ length: 20 }, (_, i) => ask('GET', '/webapp/big?kb=' + (1 + 20 * i))));
  console.log('assets: ' + assets.every((a, i) => a.status === 200 && a.bytes === (1 + 20 * i) * 1024));
  const login = await ask('POST', '/webapp/login', { 'content-type': 'application/x-www-form-urlencoded' }, 'user=ada');
  const cookie = login.head['set-cookie'][0].split(';')[0];
  const me = await ask('GET', '/webapp/me', { cookie });
  console.log(`login: ${login.status} ${me.status} ${me.text.includes('ada')}`);
  const echo = await ask('POST', '/webapp/echo', { 'content-type': 'text/plain' }, 'x'.repeat(200000));
  console.log(`upload: ${echo.status} ${echo.text.includes('200000')}`);
  const talk = await chat('ping');
  console.log(`websocket: ${talk.status} ${talk.words.map((w) => w.replace(server, 'SERVER')).join(', ')}`);
  const last = await ask('HEAD', '/webapp/');
  console.log(`head: ${last.status} ${last.bytes}`);
  session.close(() => console.log('closed'));
}

main().catch(fail);
