'use strict';

// A server that is as well as it is told to be: /become?MODE says how /healthz is answered from then on. Every other
// path answers with the server's name and is counted; /count tells how many there were.

const http = require('node:http');

const { HOST, PORT, NAME } = process.env;
let mode = 'well';
let count = 0;

const answers = {
  well(res) {
    res.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8' });
    res.end('<h1>Hello world</h1>');
  },
  status(res) {
    res.writeHead(500, { 'Content-Type': 'text/html' });
    res.end('Hello world');
  },
  header(res) {
    res.writeHead(200, { 'Content-Type': 'text/plain' });
    res.end('Hello world');
  },
  body(res) { // without an end, and without what is looked for
    res.writeHead(200, { 'Content-Type': 'text/html' });
    const more = () => { while (!res.destroyed && res.write('x'.repeat(16384))); };
    res.on('drain', more);
    more();
  },
  timeout(res) { // one byte now and then
    res.writeHead(200, { 'Content-Type': 'text/html' });
    const timer = setInterval(() => res.write('x'), 50);
    res.on('close', () => clearInterval(timer));
  },
  closed(res) {
    res.socket.destroy();
  },
};

http.createServer((req, res) => {
  const [path, query] = req.url.split('?');
  if (path === '/become') {
    mode = query;
    res.end(mode);
  } else if (path === '/count') {
    res.end(String(count));
  } else if (path === '/healthz') {
    answers[mode](res);
  } else {
    count++;
    res.end(NAME);
  }
}).listen(Number(PORT), HOST);
