'use strict';

// Many small servers in one process: SERVERS of them, at 127.1.0.1, 127.1.0.2 and so on, all on PORT.

const http = require('node:http');

const { PORT, SERVERS } = process.env;

for (let i = 1; i <= Number(SERVERS); i++) {
  http.createServer({ keepAliveTimeout: 600000 }, (req, res) => res.end('well')).listen({ port: Number(PORT), host: `127.1.${i >> 8}.${i & 255}`, backlog: 16 });
}
