package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sunya-cloud/sunya/internal/core/health"
)

func newDoctorCommand(env *Env) *cobra.Command {
	return &cobra.Command{
		Use:     "doctor",
		Short:   "Examine this machine and the server, and say what to mend.",
		Args:    args(0, 0, ""),
		Example: "sunya doctor\nsunya doctor --json",
		RunE:    func(cmd *cobra.Command, _ []string) error { return doctor(cmd.Context(), env) },
	}
}

// doctor prints every check. It fails with its own exit code when one of them
// is a blocking problem.
func doctor(ctx context.Context, env *Env) error {
	checks, dataDir := serverChecks(ctx, env)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	checks = append(checks, localChecks(ctx, env, dataDir)...)
	if err := printChecks(env, checks); err != nil {
		return err
	}
	failed := 0
	for _, c := range checks {
		if c.Status == health.Fail {
			failed++
		}
	}
	if failed > 0 {
		return &failure{err: fmt.Errorf("%d of %d checks failed", failed, len(checks)), anchor: "doctor", code: exitDoctor,
			try: "what the lines that begin with fail say"}
	}
	return nil
}

// serverChecks asks the server. One that is not running is worth a word: it is
// no problem of the machine.
func serverChecks(ctx context.Context, env *Env) (checks []health.Check, dataDir string) {
	c, err := connect(ctx, env)
	var gone *unreachable
	switch {
	case errors.As(err, &gone):
		return []health.Check{{Name: "server", Status: health.Warning, Detail: message(err), Fix: "start it with: sunya up"}}, ""
	case err != nil:
		return []health.Check{{Name: "server", Status: health.Fail, Detail: message(err), Fix: "check --server and SUNYA_TOKEN"}}, ""
	}
	defer c.close()
	checks = []health.Check{{
		Name: "server", Status: health.OK,
		Detail: fmt.Sprintf("Sunya %s answers at %s, isolation %s", c.status.Version, c.base, c.status.Level),
	}}
	more, err := c.doctor(ctx)
	if err != nil {
		more = []health.Check{{Name: "server checks", Status: health.Fail, Detail: message(err), Fix: "look at the server's own output"}}
	}
	return append(checks, more...), c.status.DataDir
}

func printChecks(env *Env, checks []health.Check) error {
	if env.output().kind != "table" {
		return printOne(env, map[string]any{"checks": checks})
	}
	for _, c := range checks {
		line := fmt.Sprintf("%s %-18s %s\n", tintStatus(env, c.Status), printable(c.Name), printable(c.Detail))
		if c.Fix != "" && c.Status != health.OK {
			line += fmt.Sprintf("%-8s %-18s fix: %s\n", "", "", printable(c.Fix))
		}
		if err := write(env.Stdout, []byte(line)); err != nil {
			return err
		}
	}
	return nil
}

func tintStatus(env *Env, s health.Status) string {
	word := fmt.Sprintf("%-8s", s)
	if !env.colour(env.StdoutTTY) {
		return word
	}
	return map[health.Status]string{health.OK: "\x1b[32m", health.Warning: "\x1b[33m", health.Fail: "\x1b[31m"}[s] + word + "\x1b[0m"
}
