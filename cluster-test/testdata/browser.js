// What a page does, run in a browser on a page of the example application; the value is a list of what came of it.
(async () => {
  const said = [];
  const count = async (path, options) => (await (await fetch(path, options)).arrayBuffer()).byteLength;
  said.push('page: ' + document.title);

  const sizes = [1, 10, 100, 200, 300, 400];
  const assets = await Promise.all(sizes.map((kb) => count('/webapp/big?kb=' + kb)));
  said.push('assets: ' + assets.every((size, i) => size === sizes[i] * 1024));

  const login = await fetch('/webapp/login', { method: 'POST', body: new URLSearchParams({ user: 'ann' }) });
  said.push('login: ' + login.status + ' ' + login.redirected + ' ' + (await login.text()).includes('ann'));
  said.push('user: ' + (await (await fetch('/webapp/me')).json()).user);

  const form = new FormData();
  form.append('file', new Blob([new Uint8Array(500000)]), 'zeros');
  const upload = await (await fetch('/webapp/echo', { method: 'POST', body: form })).json();
  said.push('upload: ' + (upload.bytes > 500000));

  const pieces = new ReadableStream({
    async pull(to) {
      await new Promise((go) => setTimeout(go, 20));
      this.sent = (this.sent ?? 0) + 1;
      if (this.sent > 3) to.close();
      else to.enqueue(new TextEncoder().encode('piece'));
    },
  });
  const stream = await (await fetch('/webapp/echo', { method: 'POST', body: pieces, duplex: 'half' })).json();
  said.push('streamed upload: ' + stream.bytes);

  const reader = (await fetch('/webapp/big?kb=3000')).body.getReader();
  let reads = 0;
  while (!(await reader.read()).done) reads++;
  said.push('reply in pieces: ' + (reads > 1));

  const refused = await fetch('/webapp/refused', { method: 'POST', body: new Uint8Array(3000000) });
  said.push('refused: ' + refused.status);

  const left = new AbortController();
  const slow = fetch('/webapp/slow?ms=60000', { signal: left.signal }).catch((err) => err.name);
  setTimeout(() => left.abort(), 50);
  said.push('left: ' + (await slow));

  if (!window.ws) {
    window.heard = [];
    window.ws = new WebSocket('wss://' + location.host + '/wstunnel/?greet=1');
    window.ws.onmessage = (event) => window.heard.push(event.data);
    await new Promise((open, failed) => { window.ws.onopen = open; window.ws.onerror = failed; });
  }
  const echoed = new Promise((go) => window.ws.addEventListener('message', (event) => event.data === 'ping' && go()));
  window.ws.send('ping');
  await echoed;
  said.push('websocket: ' + window.heard.join());

  const spoken = new Set(performance.getEntries().map((entry) => entry.nextHopProtocol).filter(Boolean));
  said.push('protocols: ' + [...spoken].join());
  return said.join('\n');
})()
