//go:build e2e

package e2e

var goApps = []languageApp{
	{name: "go-smallest", dir: "../examples/hello-go", needs: "go", main: "main.go"},
	{name: "go-contract", dir: "testdata/go/contract", needs: "go", main: "main.go", contract: true},
	{name: "go-chi", dir: "testdata/go/chi", needs: "go", main: "cmd/web/main.go"},
	{name: "go-vendored", dir: "testdata/go/vendored", needs: "go", main: "main.go"},
}
