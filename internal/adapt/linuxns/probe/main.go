// Command probe looks, from inside a sandbox, for ways out of it: the probes
// S1 to S8 and S10 of the robustness reference. It prints one line for each
// finding, "S5 FAIL bpf: succeeded", and "S5 ok" for a probe without one; skips
// say why. It is also the small server that the engine's tests run.
package main

import (
	"fmt"
	"os"
	"strings"
)

func main() {
	if len(os.Args) > 1 {
		serve(os.Args[1:])
		return
	}
	failed := false
	for _, p := range []struct {
		id    string
		check func(report)
	}{
		{"S1", hostFiles}, {"S2", kernelKnobs}, {"S3", starter}, {"S5", systemCalls}, {"S6", identity},
		{"S7", deviceNodes}, {"S8", reach}, {"S10", leftovers},
	} {
		found := 0
		p.check(func(format string, args ...any) {
			text := fmt.Sprintf(format, args...)
			if reason, skip := strings.CutPrefix(text, "skip: "); skip {
				fmt.Println(p.id, "skip", reason)
				return
			}
			found++
			fmt.Println(p.id, "FAIL", text)
		})
		failed = failed || found > 0
		if found == 0 {
			fmt.Println(p.id, "ok")
		}
	}
	if failed {
		os.Exit(1)
	}
}

// report takes a finding; text that begins with "skip: " is none.
type report func(format string, args ...any)
