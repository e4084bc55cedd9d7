//go:build e2e

package e2e

var nodeApps = []languageApp{
	{name: "node", dir: "testdata/node/contract", needs: "node", main: "main.js", contract: true, reused: "No dependencies to install",
		env: map[string]string{"NODE_ENV": "production", "NODE_OPTIONS": "--max-old-space-size=307 "}},
	{name: "node-smallest", dir: "../examples/hello-node", needs: "node", main: "server.js"},
	{name: "node-express", dir: "testdata/node/express", needs: "npm", main: "server.js", reused: "Dependencies unchanged: reused"},
	{name: "node-typescript", dir: "testdata/node/typescript", needs: "npm", main: "src/server.ts", reused: "Dependencies unchanged: reused"},
	{name: "node-yarn", dir: "testdata/node/yarn", needs: "npm", main: "server.js", reused: "Dependencies unchanged: reused"},
	{name: "node-pnpm", dir: "testdata/node/pnpm", needs: "npm", main: "server.js", reused: "Dependencies unchanged: reused"},
}
