// An HTTP/2 server without encryption, for tests of weir's side towards upstreams.
const http2 = require('http2');
const crypto = require('crypto');

const server = http2.createServer();
server.on('stream', (stream, headers) => {
  stream.on('error', () => {}); // a client that leaves
  const url = new URL(headers[':path'], 'http://' + headers[':authority']);
  if (url.pathname === '/large') {
    stream.respond({ ':status': 200, 'content-type': 'text/plain' });
    stream.end('0123456789abcdef'.repeat(1 << 18)); // 4 MiB
    return;
  }
  if (url.pathname === '/refused') {
    stream.close(http2.constants.NGHTTP2_REFUSED_STREAM);
    return;
  }
  const hash = crypto.createHash('sha256');
  let size = 0;
  stream.on('data', (piece) => { size += piece.length; hash.update(piece); });
  stream.on('end', () => {
    stream.respond({ ':status': 200, 'x-method': headers[':method'], 'x-authority': headers[':authority'], 'set-cookie': ['a=1', 'b=2'] },
      { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': hash.digest('hex') }));
    stream.end(`${size} ${stream.session.socket.remotePort}`);
  });
});
server.listen(Number(process.env.PORT), process.env.HOST);
