package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sunya-cloud/sunya"
)

func newStatusCommand(env *Env) *cobra.Command {
	return &cobra.Command{
		Use:     "status",
		Short:   "Show the server, its services and what runs now.",
		Args:    args(0, 0, ""),
		Example: "sunya status\nsunya status --json",
		RunE:    func(cmd *cobra.Command, _ []string) error { return showStatus(cmd.Context(), env) },
	}
}

func showStatus(ctx context.Context, env *Env) error {
	c, err := connect(ctx, env)
	if err != nil {
		return err
	}
	defer c.close()
	if env.output().kind != "table" {
		return printOne(env, c.status)
	}
	if err := write(env.Stdout, []byte(summary(env, &c.status))); err != nil {
		return err
	}
	return printStatusTables(env, &c.status)
}

// summary is the server in a few lines.
func summary(env *Env, s *serverStatus) string {
	var b strings.Builder
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%-10s %s\n", name, printable(value))
		}
	}
	fmt.Fprintf(&b, "Sunya %s, started %s\n", printable(s.Version), ago(s.StartTime, env.Now()))
	for _, l := range s.Listeners {
		line("listener", l.Address+" ("+strings.Join(l.Roles, ", ")+")")
	}
	line("apps", s.AppsURL)
	line("project", s.Project)
	line("data", s.DataDir)
	isolation := s.Level
	if len(s.Facts) > 0 {
		isolation += " (" + strings.Join(s.Facts, ", ") + ")"
	}
	line("isolation", isolation)
	for _, m := range s.Missing {
		line("missing", m)
	}
	return b.String()
}

func printStatusTables(env *Env, s *serverStatus) error {
	if len(s.Services) == 0 {
		return write(env.Stdout, []byte("\nNo services yet: \"sunya deploy\" makes one.\n"))
	}
	if err := write(env.Stdout, []byte("\n")); err != nil {
		return err
	}
	err := table[serviceStatus]{
		{"SERVICE", func(s serviceStatus) string { return s.Name }},
		{"REVISIONS", func(s serviceStatus) string { return fmt.Sprint(s.Revisions) }},
		{"URL", func(s serviceStatus) string { return shortest(s.URLs) }},
	}.write(env, s.Services)
	if err != nil {
		return err
	}
	if len(s.Instances) == 0 {
		return write(env.Stdout, []byte("\nNo instances: everything is scaled to zero.\n"))
	}
	if err := write(env.Stdout, []byte("\n")); err != nil {
		return err
	}
	columns := table[instanceStatus]{
		{"INSTANCE", func(i instanceStatus) string { return i.ID }},
		{"REVISION", func(i instanceStatus) string { return shortRevision(i.Revision) }},
		{"STATE", func(i instanceStatus) string { return i.State }},
		{"REQUESTS", func(i instanceStatus) string { return fmt.Sprint(i.InFlight) }},
		{"MEMORY", func(i instanceStatus) string { return sunya.Bytes(i.MemoryBytes).String() }},
		{"STARTED", func(i instanceStatus) string { return ago(i.StartTime, env.Now()) }},
	}
	if slices.ContainsFunc(s.Instances, func(i instanceStatus) bool { return i.Start != "" }) {
		columns = append(columns, column[instanceStatus]{"FROM", func(i instanceStatus) string { return cmp.Or(i.Start, "-") }})
	}
	return columns.write(env, s.Instances)
}

// shortest is the name that people will want to type.
func shortest(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return slices.MinFunc(names, func(a, b string) int { return cmp.Compare(len(a), len(b)) })
}

// shortRevision is how a table names a revision: SERVICE/VERSION of an App
// Engine version, whatever deploy made it; of Cloud Run by its last part, which
// begins with the service's name; other names as they are.
func shortRevision(name string) string {
	parts := strings.Split(name, "/")
	if len(parts) == 7 && parts[2] == "services" && parts[4] == "versions" {
		return parts[3] + "/" + parts[5]
	}
	if len(parts) == 8 && parts[6] == "revisions" {
		return parts[7]
	}
	return name
}
