'use strict';

// The server side of RFC 6455, as much as an echo needs: the handshake, frames in both directions, fragmented
// messages, ping, close. Text and binary messages come back as they came.

const { isUtf8 } = require('node:buffer');
const crypto = require('node:crypto');

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'; // RFC 6455 section 1.3
const MAX_MESSAGE = 1024 * 1024; // bytes

const OP = { continuation: 0x0, text: 0x1, binary: 0x2, close: 0x8, ping: 0x9, pong: 0xa };
const CLOSE = { protocolError: 1002, invalidText: 1007, tooBig: 1009 };

/** acceptWebSocket answers the upgrade request and echoes until either side closes. */
function acceptWebSocket(req, socket, head, name, greeting) {
  const key = req.headers['sec-websocket-key'] ?? '';
  if (req.method !== 'GET' || (req.headers.upgrade ?? '').toLowerCase() !== 'websocket' || key === '') {
    refuse(socket, name, '400 Bad Request', '');
    return;
  }
  if (req.headers['sec-websocket-version'] !== '13') {
    refuse(socket, name, '426 Upgrade Required', 'Sec-WebSocket-Version: 13\r\n');
    return;
  }
  const accept = crypto.createHash('sha1').update(key + GUID).digest('base64');
  socket.setNoDelay(true);
  socket.setTimeout(0);
  // The first frame travels with the 101 when there is a greeting, so that both arrive in one segment.
  socket.write(Buffer.concat([
    Buffer.from(
      'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
        `Sec-WebSocket-Accept: ${accept}\r\nX-Server: ${name}\r\n\r\n`,
    ),
    greeting === '' ? Buffer.alloc(0) : frame(OP.text, Buffer.from(greeting)),
  ]));
  echoFrames(socket, head);
}

function refuse(socket, name, statusLine, extra) {
  socket.end(`HTTP/1.1 ${statusLine}\r\nX-Server: ${name}\r\n${extra}Content-Length: 0\r\nConnection: close\r\n\r\n`);
}

function echoFrames(socket, head) {
  const state = { opcode: 0, parts: [], size: 0 };
  let pending = head;
  const take = (bytes) => {
    pending = pending.length === 0 ? bytes : Buffer.concat([pending, bytes]);
    for (;;) {
      const got = parseFrame(pending);
      if (got === null || socket.writableEnded) return;
      if (got.error) {
        close(socket, got.error);
        return;
      }
      pending = pending.subarray(got.length);
      onFrame(socket, state, got);
    }
  };
  socket.on('data', take);
  socket.on('end', () => socket.end());
  socket.on('error', () => socket.destroy());
  take(Buffer.alloc(0));
}

/** parseFrame reads one whole client frame; null when more bytes are needed, error when it must not be accepted. */
function parseFrame(bytes) {
  if (bytes.length < 2) return null;
  const opcode = bytes[0] & 0x0f;
  const fin = (bytes[0] & 0x80) !== 0;
  let size = bytes[1] & 0x7f;
  let at = 2;
  if ((bytes[0] & 0x70) !== 0 || (bytes[1] & 0x80) === 0) return { error: CLOSE.protocolError };
  if (opcode >= OP.close && (size > 125 || !fin)) return { error: CLOSE.protocolError };
  if (size === 126) {
    if (bytes.length < 4) return null;
    size = bytes.readUInt16BE(2);
    at = 4;
  } else if (size === 127) {
    if (bytes.length < 10) return null;
    const long = bytes.readBigUInt64BE(2);
    if (long > BigInt(MAX_MESSAGE)) return { error: CLOSE.tooBig };
    size = Number(long);
    at = 10;
  }
  if (bytes.length < at + 4 + size) return null;
  const mask = bytes.subarray(at, at + 4);
  const payload = Buffer.from(bytes.subarray(at + 4, at + 4 + size));
  for (let i = 0; i < payload.length; i++) payload[i] ^= mask[i & 3];
  return { opcode, fin, payload, length: at + 4 + size };
}

function onFrame(socket, state, { opcode, fin, payload }) {
  switch (opcode) {
    case OP.close:
      socket.end(frame(OP.close, payload));
      return;
    case OP.ping:
      socket.write(frame(OP.pong, payload));
      return;
    case OP.pong:
      return;
    case OP.text:
    case OP.binary:
    case OP.continuation:
      onData(socket, state, opcode, fin, payload);
      return;
    default:
      close(socket, CLOSE.protocolError);
  }
}

function onData(socket, state, opcode, fin, payload) {
  if ((opcode === OP.continuation) !== (state.opcode !== 0)) {
    close(socket, CLOSE.protocolError);
    return;
  }
  if (opcode !== OP.continuation) state.opcode = opcode;
  state.parts.push(payload);
  state.size += payload.length;
  if (state.size > MAX_MESSAGE) {
    close(socket, CLOSE.tooBig);
    return;
  }
  if (!fin) return;
  const message = Buffer.concat(state.parts);
  const kind = state.opcode;
  Object.assign(state, { opcode: 0, parts: [], size: 0 });
  if (kind === OP.text && !isUtf8(message)) {
    close(socket, CLOSE.invalidText);
    return;
  }
  socket.write(frame(kind, message));
}

function close(socket, code) {
  const payload = Buffer.alloc(2);
  payload.writeUInt16BE(code);
  socket.end(frame(OP.close, payload));
}

/** frame builds one unmasked, final frame, as servers send them. */
function frame(opcode, payload) {
  let head;
  if (payload.length < 126) {
    head = Buffer.from([0x80 | opcode, payload.length]);
  } else if (payload.length < 65536) {
    head = Buffer.alloc(4);
    head[1] = 126;
    head.writeUInt16BE(payload.length, 2);
  } else {
    head = Buffer.alloc(10);
    head[1] = 127;
    head.writeBigUInt64BE(BigInt(payload.length), 2);
  }
  head[0] = 0x80 | opcode;
  return Buffer.concat([head, payload]);
}

module.exports = { acceptWebSocket };
