// How the programs of this directory reach the platform.
//
// SUNYA_SERVER     where the platform answers, http://127.0.0.1:8080 by default
// SUNYA_TRANSPORT  grpc (default) or rest

const {grpc} = require('google-gax');

const server = new URL(process.env.SUNYA_SERVER || 'http://127.0.0.1:8080');
const transport = process.env.SUNYA_TRANSPORT || 'grpc';

// anonymous sends no credentials.
const anonymous = {
  getClient: async () => ({getRequestHeaders: async () => new Headers(), request: r => fetch(r.url, r)}),
  getRequestHeaders: async () => ({}),
  fetch: (url, options) => fetch(url, options),
};

// client makes one of a Google library, without credentials and without TLS.
function client(kind) {
  const options = {apiEndpoint: server.hostname, port: Number(server.port), projectId: 'sunya'};
  if (transport === 'grpc') {
    return new kind({...options, sslCreds: grpc.credentials.createInsecure()});
  }
  return new kind({...options, fallback: true, protocol: 'http', auth: anonymous});
}

// run ends the program with an error where main fails.
function run(main) {
  main().then(() => console.log('ok', transport), e => {
    console.error(e);
    process.exit(1);
  });
}

module.exports = {client, run, transport};
