//go:build e2e

package e2e

var pythonApps = []languageApp{
	{name: "python", dir: "testdata/python/contract", main: "main.py", contract: true, reused: "No dependencies to install"},
	{name: "python-flask", dir: "../examples/hello-python", main: "main.py", reused: "Dependencies unchanged: reused"},
	{name: "python-fastapi", dir: "testdata/python/fastapi", main: "main.py", reused: "Dependencies unchanged: reused"},
}
