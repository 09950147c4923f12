'use strict';

// A chat by socket.io. Its polling transport makes many HTTP requests of one conversation, and the server keeps the
// conversation in its memory: behind a load balancer it breaks at once unless each client stays with its server.

const http = require('node:http');
const { Server } = require('socket.io');

const HOST = process.env.HOST || '127.0.0.1';
const PORT = Number(process.env.PORT ?? 3001);
const NAME = process.env.NAME ?? `chat-${PORT}`;

const server = http.createServer((req, res) => {
  res.setHeader('X-Server', NAME);
  res.end(`ok ${NAME}\n`);
});

const io = new Server(server, { transports: ['polling', 'websocket'], pingInterval: 5000 });

io.engine.on('headers', (headers) => {
  headers['X-Server'] = NAME;
});

io.on('connection', (socket) => {
  let said = 0;
  socket.emit('welcome', NAME);
  socket.on('say', (text) => socket.emit('said', NAME, ++said, text));
});

server.on('error', (err) => {
  console.error(`chat ${NAME}: ${err.message}`);
  process.exit(1);
});

server.listen(PORT, HOST, () => console.log(`chat ${NAME}: listening on http://${HOST}:${server.address().port}`));
