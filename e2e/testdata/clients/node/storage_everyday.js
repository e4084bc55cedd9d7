// What a program does with objects, in the order in which it does it.
const assert = require('node:assert');
const {Storage} = require('@google-cloud/storage');

async function main() {
  const storage = new Storage();
  const [bucket] = await storage.createBucket('everyday-node');
  const file = bucket.file('notes/hello.txt');
  await file.save('hello, world', {contentType: 'text/plain', resumable: false});
  assert.equal((await file.download()).toString(), 'hello, world');
  assert.equal((await file.download({start: 7, end: 11})).toString(), 'world');
}

main().catch(err => {
  console.error(err);
  process.exit(1);
});
