// Create, wait for, get, list and retry builds, with Google's own library for
// Cloud Build in Node.js.
//
// SUNYA_SOURCE  bucket/object of a source with a Dockerfile

const assert = require('node:assert');
const {protos, v1} = require('@google-cloud/cloudbuild');
const {client, run, transport} = require('./connect');

const {Status} = protos.google.devtools.cloudbuild.v1.Build;
const projectId = 'sunya';
const image = `gcr.io/sunya/node-${transport}`;
const [bucket, object] = process.env.SUNYA_SOURCE.split(/\/(.*)/);

// build is one with docker's own arguments.
const build = (...args) => ({
  source: {storageSource: {bucket, object}},
  steps: [{name: 'gcr.io/cloud-builders/docker', args}],
  images: [image],
});

run(async () => {
  const builds = client(v1.CloudBuildClient);
  const [operation] = await builds.createBuild({projectId, build: build('build', '-t', image, '.')});
  const [done] = await operation.promise();
  assert.strictEqual(done.status, Status.SUCCESS);
  assert.match(done.results.images[0].digest, /^sha256:/);
  const [got] = await builds.getBuild({projectId, id: done.id});
  assert.strictEqual(got.id, done.id);

  const [failing] = await builds.createBuild({projectId, build: build('build', '-t', image, '-f', 'nowhere', '.')});
  await assert.rejects(failing.promise());
  const [broken] = await builds.getBuild({projectId, id: failing.metadata.build.id});
  assert.match(broken.statusDetail, /nowhere/);

  const ids = [];
  for await (const b of builds.listBuildsAsync({projectId, pageSize: 1, filter: 'status="SUCCESS"'})) ids.push(b.id);
  assert.ok(ids.includes(done.id));
  const [retried] = await builds.retryBuild({projectId, id: done.id});
  const [again] = await retried.promise();
  assert.notStrictEqual(again.id, done.id);
  await assert.rejects(builds.getBuild({projectId, id: '00000000-0000-0000-0000-000000000000'}), /NOT_FOUND|does not exist/);
});
