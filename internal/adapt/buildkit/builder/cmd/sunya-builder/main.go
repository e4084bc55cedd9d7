// Command sunya-builder builds container images inside a sandbox. It is
// embedded in the server's binary, which starts it for one build.
package main

import (
	"os"

	"github.com/sunya-cloud/sunya/internal/adapt/buildkit/builder"
)

func main() { os.Exit(builder.Main()) }
