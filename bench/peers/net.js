// Node's net: one callback for each chunk.
//
// Run: node net.js PORT.
'use strict';
const net = require('node:net');

const WORDS_FROM_BYTES = 256; // below this a view costs more than it saves

const TABLE = Uint8Array.from({ length: 256 }, (_, byte) => (byte >= 0x61 && byte <= 0x7a ? byte - 32 : byte));

// Not toUpperCase(): the bytes are no text. Four bytes at a time, which is more than twice as fast as one.
function upper(chunk) {
  let done = 0;
  if (chunk.length >= WORDS_FROM_BYTES && chunk.byteOffset % 4 === 0) {
    const words = new Int32Array(chunk.buffer, chunk.byteOffset, chunk.length >>> 2);
    for (let i = 0; i < words.length; i++) {
      const low = words[i] & 0x7f7f7f7f;
      words[i] ^= (~words[i] & ((low + 0x1f1f1f1f) ^ (low + 0x05050505)) & 0x80808080) >>> 2;
    }
    done = words.length * 4;
  }
  for (; done < chunk.length; done++) chunk[done] = TABLE[chunk[done]];
  return chunk;
}

const server = net.createServer({ noDelay: true }, (socket) => {
  socket.on('data', (chunk) => {
    if (!socket.write(upper(chunk))) socket.pause();
  });
  socket.on('drain', () => socket.resume());
  socket.on('error', () => socket.destroy());
});

server.listen({ host: '127.0.0.1', port: Number(process.argv[2]), backlog: 4096 });
