'use strict';

// A small web application to stand behind a load balancer: every reply names the server that made it, logins live in
// this process only, and each path shows one thing a balancer must carry (see README.md beside this file). It needs
// nothing but node itself. The Go program in twin/ answers alike; app_test.go holds both to one table.

const crypto = require('node:crypto');
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const { acceptWebSocket } = require('./websocket.js');

const HOST = process.env.HOST || '127.0.0.1';
const PORT = Number(process.argv[2] ?? process.env.PORT ?? 3001);
const NAME = process.argv[3] ?? process.env.NAME ?? `node-${PORT}`;

const MAX_FORM = 16 * 1024; // bytes of a login form
const MAX_ECHO = 64 * 1024; // bytes of a body given back as text; longer ones are only counted and hashed
const MAX_WAIT = 10 * 60 * 1000; // ms
const MAX_KB = 1024 * 1024; // KB of one /webapp/big reply

const page = fs.readFileSync(path.join(__dirname, 'page.html'), 'utf8');
const sessions = new Map(); // session id → user; lost with the process, on purpose
let cachedCount = 0;

const routes = {
  'GET /webapp/': showPage,
  'POST /webapp/login': login,
  'POST /webapp/logout': logout,
  'GET /webapp/me': showUser,
  'GET /webapp/cached': cached,
  'GET /webapp/slow': slow,
  'GET /webapp/stream': stream,
  'GET /webapp/trailers': trailers,
  'GET /webapp/big': big,
  'GET /webapp/status': status,
  'GET /webapp/drop': drop,
  'GET /webapp/health': health,
  'GET /health': health,
  '* /webapp/echo': echo,
};

const server = http.createServer((req, res) => {
  const url = new URL(req.url, 'http://app');
  const method = req.method === 'HEAD' ? 'GET' : req.method;
  const route = routes[`${method} ${url.pathname}`] ?? routes[`* ${url.pathname}`];
  res.setHeader('X-Server', NAME);
  if (!route) {
    sendText(res, 404, `no such page on ${NAME}\n`);
    return;
  }
  route(req, res, url.searchParams);
});

server.on('upgrade', (req, socket, head) => {
  const url = new URL(req.url, 'http://app');
  if (url.pathname !== '/wstunnel/') {
    socket.end(`HTTP/1.1 404 Not Found\r\nX-Server: ${NAME}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
    return;
  }
  const greeting = url.searchParams.get('greet') ? `connected to ${NAME}` : '';
  acceptWebSocket(req, socket, head, NAME, greeting);
});

server.on('error', (err) => {
  const why = err.code === 'EADDRINUSE' ? `port ${PORT} of ${HOST} is taken` : err.message;
  console.error(`app ${NAME}: ${why}`);
  process.exit(1);
});

server.listen(PORT, HOST, () => {
  const { address, port } = server.address();
  console.log(`app ${NAME}: listening on http://${address}:${port}`);
});

for (const signal of ['SIGTERM', 'SIGINT']) {
  process.on(signal, () => {
    server.close(() => process.exit(0));
    server.closeIdleConnections();
    setTimeout(() => process.exit(0), 3000).unref();
  });
}

function sendText(res, code, text) {
  res.writeHead(code, { 'Content-Type': 'text/plain; charset=utf-8', 'Content-Length': Buffer.byteLength(text) });
  res.end(text);
}

function sendJSON(res, code, value) {
  const text = JSON.stringify(value) + '\n';
  res.writeHead(code, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) });
  res.end(text);
}

/** number reads a query parameter as a whole number between min and max, or gives the fallback. */
function number(query, name, fallback, min, max) {
  const text = query.get(name) ?? '';
  return /^\d{1,9}$/.test(text) ? Math.min(Math.max(Number(text), min), max) : fallback;
}

function escapeHTML(text) {
  return text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}

function sessionID(req) {
  return /(?:^|;\s*)sid=([0-9a-f]+)/.exec(req.headers.cookie ?? '')?.[1] ?? '';
}

function showPage(req, res) {
  const user = sessions.get(sessionID(req)) ?? 'nobody';
  const text = page.replaceAll('{{server}}', () => escapeHTML(NAME)).replaceAll('{{user}}', () => escapeHTML(user));
  res.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8', 'Content-Length': Buffer.byteLength(text) });
  res.end(text);
}

function login(req, res) {
  let form = '';
  req.setEncoding('utf8');
  req.on('data', (text) => {
    if (form.length <= MAX_FORM) form += text;
  });
  req.on('end', () => {
    const user = new URLSearchParams(form).get('user') ?? '';
    if (user === '' || form.length > MAX_FORM) {
      sendText(res, 400, 'the form has no user\n');
      return;
    }
    const id = crypto.randomBytes(16).toString('hex');
    sessions.set(id, user);
    res.setHeader('Set-Cookie', `sid=${id}; Path=/webapp/; HttpOnly; SameSite=Lax`);
    res.setHeader('Location', '/webapp/');
    sendText(res, 303, `signed in on ${NAME}\n`);
  });
}

function logout(req, res) {
  sessions.delete(sessionID(req));
  res.setHeader('Set-Cookie', 'sid=; Path=/webapp/; Max-Age=0');
  res.setHeader('Location', '/webapp/');
  sendText(res, 303, `signed out on ${NAME}\n`);
}

function showUser(req, res) {
  const user = sessions.get(sessionID(req)) ?? null;
  sendJSON(res, user === null ? 401 : 200, { server: NAME, user });
}

function cached(req, res, query) {
  cachedCount++;
  res.setHeader('Cache-Control', `max-age=${number(query, 's', 60, 0, 86400)}`);
  res.setHeader('ETag', '"v1"');
  if (req.headers['if-none-match'] === '"v1"') {
    res.writeHead(304);
    res.end();
    return;
  }
  sendJSON(res, 200, { server: NAME, count: cachedCount });
}

function slow(req, res, query) {
  const ms = number(query, 'ms', 1000, 0, MAX_WAIT);
  const timer = setTimeout(() => sendText(res, 200, `${NAME} waited ${ms} ms\n`), ms);
  res.on('close', () => clearTimeout(timer));
}

function stream(req, res, query) {
  const lines = number(query, 'n', 5, 0, 10000);
  const ms = number(query, 'ms', 200, 0, MAX_WAIT);
  let sent = 0;
  let timer;
  res.writeHead(200, { 'Content-Type': 'text/plain; charset=utf-8' });
  res.flushHeaders();
  res.on('close', () => clearTimeout(timer));
  const next = () => {
    if (sent === lines) {
      res.end();
      return;
    }
    res.write(`line ${++sent} of ${lines} from ${NAME}\n`);
    timer = setTimeout(next, ms);
  };
  next();
}

function trailers(req, res) {
  const text = `this text is followed by its checksum, from ${NAME}\n`;
  res.writeHead(200, { 'Content-Type': 'text/plain; charset=utf-8', Trailer: 'X-Checksum' });
  res.write(text);
  res.addTrailers({ 'X-Checksum': crypto.createHash('sha256').update(text).digest('hex') });
  res.end();
}

/** big sends KB lines of 1,024 bytes, no faster than the reader takes them. */
function big(req, res, query) {
  const kb = number(query, 'kb', 100, 0, MAX_KB);
  res.writeHead(200, { 'Content-Type': 'application/octet-stream', 'Content-Length': kb * 1024 });
  let left = req.method === 'HEAD' ? 0 : kb;
  const block = Buffer.from(('x'.repeat(1023) + '\n').repeat(64));
  const more = () => {
    while (left > 0) {
      const n = Math.min(left, 64);
      left -= n;
      if (!res.write(block.subarray(0, n * 1024))) {
        res.once('drain', more);
        return;
      }
    }
    res.end();
  };
  more();
}

function status(req, res, query) {
  const code = number(query, 'code', 200, 200, 599);
  if (code === 204 || code === 304) {
    res.writeHead(code);
    res.end();
    return;
  }
  sendText(res, code, `${code} from ${NAME}\n`);
}

/** drop promises a body twice as long as what it sends before it breaks the connection. */
function drop(req, res, query) {
  const kb = number(query, 'kb', 1, 0, 1024);
  res.writeHead(200, { 'Content-Type': 'application/octet-stream', 'Content-Length': kb * 2048 + 1 });
  res.flushHeaders();
  res.write(Buffer.alloc(kb * 1024, 'x'), () => res.destroy());
}

function health(req, res) {
  sendText(res, 200, `ok ${NAME}\n`);
}

function echo(req, res) {
  const hash = crypto.createHash('sha256');
  const kept = [];
  let bytes = 0;
  req.on('data', (part) => {
    hash.update(part);
    bytes += part.length;
    if (bytes <= MAX_ECHO) kept.push(part);
  });
  req.on('end', () => {
    sendJSON(res, 200, {
      server: NAME,
      method: req.method,
      url: req.url,
      version: req.httpVersion,
      client: `${req.socket.remoteAddress}:${req.socket.remotePort}`,
      headers: grouped(req.rawHeaders),
      trailers: grouped(req.rawTrailers),
      bytes,
      sha256: hash.digest('hex'),
      body: bytes <= MAX_ECHO ? Buffer.concat(kept).toString('utf8') : '',
    });
  });
}

/** grouped turns node's flat list of names and values into lower-case name → all its values, in order. */
function grouped(raw) {
  const fields = {};
  for (let i = 0; i < raw.length; i += 2) {
    (fields[raw[i].toLowerCase()] ??= []).push(raw[i + 1]);
  }
  return fields;
}
