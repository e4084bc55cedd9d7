// What a program does with topics and subscriptions, in the order in which it
// does it.
const assert = require('assert');
const {PubSub, Encodings, SchemaTypes} = require('@google-cloud/pubsub');

async function main() {
  const pubsub = new PubSub();
  const [topic] = await pubsub.createTopic('node');
  const [mine] = await topic.createSubscription('node', {enableMessageOrdering: true});

  // Streaming pull, in order.
  const ordered = pubsub.topic('node', {messageOrdering: true});
  const count = 200;
  const ids = await Promise.all([...Array(count).keys()].map(
    i => ordered.publishMessage({data: Buffer.from(String(i)), orderingKey: 'k' + (i % 4), attributes: {n: String(i)}})));
  assert.strictEqual(new Set(ids).size, count);
  const got = {};
  await new Promise((resolve, reject) => {
    let n = 0;
    mine.on('error', reject);
    mine.on('message', m => {
      m.ack();
      (got[m.orderingKey] ||= []).push(Number(m.data.toString()));
      if (++n === count) resolve();
    });
  });
  await mine.close();
  for (const numbers of Object.values(got)) {
    assert.deepStrictEqual(numbers, [...numbers].sort((a, b) => a - b));
    assert.strictEqual(numbers.length, count / 4);
  }

  // A schema.
  const definition = 'syntax = "proto3"; message M { string a = 1; }';
  const schema = await pubsub.createSchema('node', SchemaTypes.ProtocolBuffer, definition);
  const [strict] = await pubsub.createTopic({
    name: 'node-strict', schemaSettings: {schema: await schema.getName(), encoding: Encodings.Binary},
  });
  const [checked] = await strict.createSubscription('node-strict');
  await assert.rejects(strict.publishMessage({data: Buffer.from([0x0a, 5, 65])}), {code: 3});
  await strict.publishMessage({data: Buffer.from([0x0a, 1, 65])});
  const attributes = await new Promise((resolve, reject) => {
    checked.on('error', reject);
    checked.on('message', m => { m.ack(); resolve(m.attributes); });
  });
  await checked.close();
  assert.strictEqual(attributes.googclient_schemaencoding, 'BINARY');
  assert.ok(attributes.googclient_schemaname.endsWith('/schemas/node'));

  // Policies and errors.
  const [policy] = await topic.iam.getPolicy();
  policy.bindings = [{role: 'roles/pubsub.viewer', members: ['allUsers']}];
  const [set] = await topic.iam.setPolicy(policy);
  assert.strictEqual(set.bindings[0].role, 'roles/pubsub.viewer');
  await assert.rejects(pubsub.topic('none').publishMessage({data: Buffer.from('x')}), {code: 5});
  await assert.rejects(pubsub.createTopic('node'), {code: 6});
  await topic.delete();
  await pubsub.close();
}

main().catch(e => { console.error(e); process.exit(1); });
