// Upload, create, call, list with paging, update with a mask and delete functions
// of both generations, with Google's own library for Node.js.
//
// SUNYA_ZIP  a file: the zipped source of a function named hello

const assert = require('node:assert');
const fs = require('node:fs');
const {protos, v1, v2} = require('@google-cloud/functions');
const {client, run, transport} = require('./connect');

const parent = 'projects/sunya/locations/us-central1';
const source = fs.readFileSync(process.env.SUNYA_ZIP);

// upload puts the source to where the platform says, as gcloud does.
async function upload(url) {
  const answer = await fetch(url, {method: 'PUT', body: source, headers: {'Content-Type': 'application/zip'}});
  assert.ok(answer.ok, `upload: ${answer.status}`);
  return url;
}

const finished = async ([operation]) => (await operation.promise())[0];

// second is functions of the second generation.
async function second() {
  const functions = client(v2.FunctionServiceClient);
  const [link] = await functions.generateUploadUrl({parent});
  await upload(link.uploadUrl);
  const functionId = `node-${transport}`;
  const name = `${parent}/functions/${functionId}`;
  const wanted = {
    name,
    buildConfig: {runtime: 'python311', entryPoint: 'hello', source: {storageSource: link.storageSource}},
    serviceConfig: {environmentVariables: {COLOUR: 'blue'}},
  };
  const made = await finished(await functions.createFunction({parent, functionId, function: wanted}));
  assert.strictEqual(made.state, protos.google.cloud.functions.v2.Function.State.ACTIVE);
  const names = [];
  for await (const f of functions.listFunctionsAsync({parent, pageSize: 1})) names.push(f.name);
  assert.ok(names.includes(name));
  const changed = await finished(await functions.updateFunction({
    function: {name, serviceConfig: {environmentVariables: {COLOUR: 'red'}}},
    updateMask: {paths: ['service_config.environment_variables']},
  }));
  assert.strictEqual(changed.serviceConfig.environmentVariables.COLOUR, 'red');
  await finished(await functions.deleteFunction({name}));
  await assert.rejects(functions.getFunction({name}), /not found/);
}

// first is functions of the first generation.
async function first() {
  const functions = client(v1.CloudFunctionsServiceClient);
  const name = `${parent}/functions/node-${transport}-1`;
  const [link] = await functions.generateUploadUrl({parent});
  const wanted = {name, runtime: 'python311', entryPoint: 'hello', sourceUploadUrl: await upload(link.uploadUrl), httpsTrigger: {}};
  const made = await finished(await functions.createFunction({location: parent, function: wanted}));
  assert.strictEqual(made.status, protos.google.cloud.functions.v1.CloudFunctionStatus.ACTIVE);
  const [answer] = await functions.callFunction({name, data: '{}'});
  assert.match(answer.result, /Hello World/);
  const changed = await finished(await functions.updateFunction({function: {name, labels: {a: 'b'}}, updateMask: {paths: ['labels']}}));
  assert.strictEqual(changed.labels.a, 'b');
  await finished(await functions.deleteFunction({name}));
  await assert.rejects(functions.getFunction({name}), /not found/);
}

run(async () => {
  await second();
  await first();
});
