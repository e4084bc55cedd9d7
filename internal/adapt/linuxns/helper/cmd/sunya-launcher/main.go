// Command sunya-launcher is the helper that Sunya carries inside: as
// "launcher" it starts sandboxes for the server, as "init" it is a sandbox's
// first process, as "step" that of a build's step. It is static and small, because it is executed for every
// sandbox.
package main

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/sunya-cloud/sunya/internal/adapt/linuxns/helper/launcher"
	"github.com/sunya-cloud/sunya/internal/adapt/linuxns/helper/pid1"
)

func main() {
	arg, build := "", ""
	if len(os.Args) > 1 {
		arg = os.Args[1]
	}
	if len(os.Args) > 2 {
		build = os.Args[2]
	}
	switch arg {
	case launcher.InitArg:
		os.Exit(pid1.Main())
	case pid1.StepArg:
		os.Exit(pid1.Step())
	case launcher.PauseArg:
		for {
			_ = unix.Pause()
		}
	case "launcher":
		os.Exit(launcher.Main(build))
	}
	fmt.Fprintln(os.Stderr, "this program is started by sunya")
	os.Exit(2)
}
