//go:build e2e

package e2e

const nodeCommonJS = `const functions = require('@google-cloud/functions-framework');

exports.function = (req, res) => {
  if (req.path === '/crash') throw new Error('told to');
  const name = req.query.name || (req.body && req.body.name) || 'World';
  res.send('Hello ' + name + '! ' + req.path);
};

functions.cloudEvent('onEvent', (event) => {
  console.log('event', event.id, event.data.name || event.data.message.data);
});
`

const nodeModule = `import functions from '@google-cloud/functions-framework';
import { greet } from './lib/greet.js';

export const hello = (req, res) => {
  if (req.path === '/crash') throw new Error('told to');
  res.send(greet(req.query.name || req.body?.name || 'World', req.path));
};

functions.cloudEvent('onEvent', (event) => {
  console.log('event', event.id, event.data.name || event.data.message.data);
});
`

var nodeFunctions = []languageFunction{
	{name: "node-file", runtime: "nodejs20", needs: "npm", event: "onEvent",
		files:  map[string]string{"function.js": nodeCommonJS},
		broken: map[string]string{"function.js": "exports.onEvent = () => {\n  let a b;\n};\n"},
		found:  "function nope is not in function.js; found: function, onEvent",
		says:   "function.js:2: SyntaxError"},
	{name: "node-module", runtime: "nodejs20", needs: "npm", http: "hello", event: "onEvent",
		files: map[string]string{
			"package.json": `{"type": "module", "main": "app.js", "dependencies": {"@google-cloud/functions-framework": "^5"}}`,
			"app.js":       nodeModule,
			"lib/greet.js": "export const greet = (name, path) => `Hello ${name}! ${path}`;\n",
		},
		found: "function nope is not in app.js; found: hello, onEvent"},
}
