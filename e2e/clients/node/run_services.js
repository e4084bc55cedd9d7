// Create, list with paging, get, update with mask and etag, move traffic, open,
// delete and wait, with Google's own Cloud Run library for Node.js.
//
// SUNYA_IMAGE  an image that answers requests

const assert = require('node:assert');
const {ServicesClient, RevisionsClient} = require('@google-cloud/run').v2;
const {client, run, transport} = require('./connect');

const parent = 'projects/sunya/locations/local';

function service(colour) {
  return {template: {containers: [{image: process.env.SUNYA_IMAGE, env: [{name: 'COLOUR', value: colour}]}]}};
}

const last = name => name.slice(name.lastIndexOf('/') + 1);

run(async () => {
  const services = client(ServicesClient);
  const revisions = client(RevisionsClient);
  const stamp = `node${transport}${Math.floor(Date.now() / 1000)}`;
  const ids = [stamp + '-a', stamp + '-b'];
  for (const serviceId of ids) {
    const [operation] = await services.createService({parent, serviceId, service: service('blue')});
    const [made] = await operation.promise();
    assert.strictEqual(made.name, `${parent}/services/${serviceId}`);
    assert.ok(made.latestReadyRevision && !made.reconciling);
    console.log('created', made.name, made.uri);
  }

  const listed = [];
  for await (const s of services.listServicesAsync({parent, pageSize: 1})) {
    if (s.name.includes(stamp)) listed.push(last(s.name));
  }
  assert.deepStrictEqual(listed, ids);

  const update = async (change, ...paths) => {
    const [operation] = await services.updateService({service: change, updateMask: {paths}});
    return (await operation.promise())[0];
  };
  const name = `${parent}/services/${ids[0]}`;
  const [first] = await services.getService({name});
  const change = {...service('red'), name, etag: first.etag};
  const second = await update(change, 'template.containers');
  assert.notStrictEqual(second.latestReadyRevision, first.latestReadyRevision);
  await assert.rejects(update(change, 'template.containers'), /etag/);

  const moved = await update({name, traffic: [
    {type: 'TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION', revision: last(first.latestReadyRevision), percent: 90},
    {type: 'TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST', percent: 10, tag: 'next'},
  ]}, 'traffic');
  assert.deepStrictEqual(moved.trafficStatuses.map(t => t.percent), [90, 10]);
  assert.match(moved.trafficStatuses[1].uri, /next---/);

  const names = [];
  for await (const r of revisions.listRevisionsAsync({parent: name, pageSize: 1})) names.push(r.name);
  assert.deepStrictEqual(names, [second.latestReadyRevision, first.latestReadyRevision]);
  const [revision] = await revisions.getRevision({name: first.latestReadyRevision});
  assert.match(revision.containers[0].image, /@sha256:/);

  await services.setIamPolicy({resource: name, policy: {bindings: [{role: 'roles/run.invoker', members: ['allUsers']}]}});
  const [policy] = await services.getIamPolicy({resource: name});
  assert.deepStrictEqual(policy.bindings[0].members, ['allUsers']);

  for (const id of ids) {
    const [operation] = await services.deleteService({name: `${parent}/services/${id}`});
    const [gone] = await operation.promise();
    assert.ok(gone.deleteTime);
  }
  await assert.rejects(services.getService({name}), /not found/);
  const odd = service('x');
  odd.template.containers[0].image = '';
  await assert.rejects(services.createService({parent, serviceId: stamp, service: odd}), /service.template.containers\[0\].image/);
});
