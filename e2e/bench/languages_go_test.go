//go:build e2e

package bench

import "testing"

var goRows = []language{{
	name: "go", title: "Go, net/http", needs: "go", dir: "../../examples/hello-go", main: "main.go",
	bare: func(tb testing.TB, _ string) []string {
		return []string{goBuild(tb, "example", "../../examples/hello-go")}
	},
	goals: most(2.5),
}}
