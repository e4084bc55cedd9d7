package cli

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sunya-cloud/sunya"
)

// usageOptions are the flags of usage.
type usageOptions struct {
	service string
	since   string
	until   string
	by      string
}

// usageRow is a row of GET /sunya/v1/usage.
type usageRow struct {
	Time     *time.Time `json:"time,omitempty"`
	Project  string     `json:"project,omitempty"`
	Product  string     `json:"product,omitempty"`
	Location string     `json:"location,omitempty"`
	Service  string     `json:"service,omitempty"`
	Revision string     `json:"revision,omitempty"`

	Requests         int64   `json:"requests"`
	InstanceStarts   int64   `json:"instanceStarts"`
	InstanceSeconds  float64 `json:"instanceSeconds"`
	VCPUSeconds      float64 `json:"vcpuSeconds"`
	MemoryGiBSeconds float64 `json:"memoryGibSeconds"`
	VCPUSecondsUsed  float64 `json:"vcpuSecondsUsed"`
	ReceivedBytes    int64   `json:"receivedBytes"`
	SentBytes        int64   `json:"sentBytes"`
}

func newUsageCommand(env *Env) *cobra.Command {
	var o usageOptions
	cmd := &cobra.Command{
		Use:     "usage",
		Short:   "Show what services have used: requests, billable time, memory, bytes.",
		Args:    args(0, 0, ""),
		Example: "sunya usage\nsunya usage --service hello --since 7d --by day\nsunya usage --by revision --json",
		RunE:    func(cmd *cobra.Command, _ []string) error { return showUsage(cmd.Context(), env, o) },
	}
	fs := cmd.Flags()
	fs.StringVar(&o.service, "service", "", "only this service")
	fs.StringVar(&o.since, "since", "30d", "from then on: a duration (7d) or an RFC 3339 time; usage is kept by the hour")
	fs.StringVar(&o.until, "until", "", "until then: a duration or a time")
	fs.StringVar(&o.by, "by", "service", "what is added up: service, revision, day or hour (of UTC)")
	return cmd
}

// usageBy are the values of --by.
var usageBy = []string{"service", "revision", "day", "hour"}

func showUsage(ctx context.Context, env *Env, o usageOptions) error {
	if !slices.Contains(usageBy, o.by) {
		return usagef("--by: %q is not allowed: use %s", o.by, strings.Join(usageBy, ", "))
	}
	since, err := moment("--since", o.since, env.Now())
	if err != nil {
		return err
	}
	q := url.Values{"by": {o.by}, "service": {o.service}, "since": {since.UTC().Truncate(time.Hour).Format(time.RFC3339)}}
	if o.until != "" {
		until, err := moment("--until", o.until, env.Now())
		if err != nil {
			return err
		}
		q.Set("until", until.UTC().Format(time.RFC3339))
	}
	c, err := connect(ctx, env)
	if err != nil {
		return err
	}
	defer c.close()
	q.Set("project", c.project)
	var answer struct {
		Rows []usageRow `json:"rows"`
	}
	if err := c.get(ctx, "/sunya/v1/usage?"+q.Encode(), &answer); err != nil {
		return err
	}
	return printList(env, answer.Rows, usageTable(o.by))
}

// usageTable has the columns of a way to add up.
func usageTable(by string) table[usageRow] {
	var head table[usageRow]
	switch by {
	case "day":
		head = table[usageRow]{{"DAY", func(r usageRow) string { return r.Time.UTC().Format(time.DateOnly) }}}
	case "hour":
		head = table[usageRow]{{"HOUR", func(r usageRow) string { return r.Time.UTC().Format("2006-01-02T15:04Z") }}}
	default:
		head = table[usageRow]{{"SERVICE", func(r usageRow) string { return r.Service }}, {"PRODUCT", func(r usageRow) string { return r.Product }}}
	}
	if by == "revision" {
		head = append(head, column[usageRow]{"REVISION", func(r usageRow) string { return r.Revision }})
	}
	return append(head, table[usageRow]{
		{"REQUESTS", func(r usageRow) string { return fmt.Sprint(r.Requests) }},
		{"STARTS", func(r usageRow) string { return fmt.Sprint(r.InstanceStarts) }},
		{"BILLABLE", func(r usageRow) string { return billable(r.InstanceSeconds) }},
		{"VCPU-SECONDS", func(r usageRow) string { return fmt.Sprintf("%.1f", r.VCPUSeconds) }},
		{"GIB-SECONDS", func(r usageRow) string { return fmt.Sprintf("%.1f", r.MemoryGiBSeconds) }},
		{"IN", func(r usageRow) string { return sunya.Bytes(r.ReceivedBytes).String() }},
		{"OUT", func(r usageRow) string { return sunya.Bytes(r.SentBytes).String() }},
	}...)
}

// billable is billable time as people read it: to the tenth of a second that it
// is counted in, hours and minutes where there are any.
func billable(seconds float64) string {
	return time.Duration(seconds * float64(time.Second)).Round(100 * time.Millisecond).String()
}
