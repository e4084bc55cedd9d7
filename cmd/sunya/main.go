// Command sunya is the platform and its command line in one program.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/sunya-cloud/sunya/internal/cli"
)

// version is set when a release is built (-ldflags -X main.version=…).
var version string

func main() { os.Exit(run()) }

// run ends the command on the first signal; a second one ends the process.
func run() int {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		s := <-signals
		signal.Stop(signals)
		if n, ok := s.(syscall.Signal); ok {
			cancel(cli.Signal{Number: int(n)})
		}
	}()
	env := cli.OSEnv()
	if version != "" {
		env.Version = version
	}
	return cli.Main(ctx, env)
}
