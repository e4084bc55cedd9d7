package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sunya-cloud/sunya"
)

func newEventsCommand(env *Env) *cobra.Command {
	cmd := group("events", "See how events are delivered, and deliver failed ones again.",
		newEventsTailCommand(env), newEventsListCommand(env), newEventsReplayCommand(env))
	cmd.Example = "sunya events tail\nsunya events list --failed\nsunya events replay --trigger letters"
	return cmd
}

// eventDelivery is a line of GET /sunya/v1/events.
type eventDelivery struct {
	Time           time.Time `json:"time"`
	Trigger        string    `json:"trigger"`
	ID             string    `json:"id"`
	Type           string    `json:"type"`
	Subject        string    `json:"subject,omitempty"`
	Outcome        string    `json:"outcome"`
	Status         int       `json:"status,omitempty"`
	LatencySeconds float64   `json:"latencySeconds"`
	Attempt        int       `json:"attempt"`
	Reason         string    `json:"reason,omitempty"`
}

// failedEvent is one of GET /sunya/v1/events/failures.
type failedEvent struct {
	Trigger    string            `json:"trigger"`
	ID         string            `json:"id"`
	State      string            `json:"state"`
	Type       string            `json:"type"`
	Subject    string            `json:"subject,omitempty"`
	Attempts   int               `json:"attempts"`
	Status     int               `json:"status,omitempty"`
	Reason     string            `json:"reason"`
	First      time.Time         `json:"firstTime"`
	Last       time.Time         `json:"lastTime"`
	Published  time.Time         `json:"publishTime"`
	Attributes map[string]string `json:"attributes,omitempty"`
	Data       []byte            `json:"data,omitempty"`
}

// triggerOf is the full name of a trigger; one that is full already stays.
func triggerOf(env *Env, c *client, id string) string {
	if id == "" || strings.Contains(id, "/") {
		return id
	}
	return sunya.LocationName(c.project, env.flags.Region) + "/triggers/" + id
}

func newEventsTailCommand(env *Env) *cobra.Command {
	var trigger string
	var once bool
	cmd := &cobra.Command{
		Use: "tail", Short: "Show deliveries as they happen, after the last ones.", Args: args(0, 0, ""),
		Example: "sunya events tail\nsunya events tail --trigger letters --format jsonl",
		RunE:    func(cmd *cobra.Command, _ []string) error { return tailEvents(cmd.Context(), env, trigger, once) },
	}
	cmd.Flags().StringVar(&trigger, "trigger", "", "only those of this trigger")
	cmd.Flags().BoolVar(&once, "no-follow", false, "end with the last one that there is")
	return cmd
}

func tailEvents(ctx context.Context, env *Env, trigger string, once bool) error {
	c, err := connect(ctx, env)
	if err != nil {
		return err
	}
	defer c.close()
	q := url.Values{"trigger": {triggerOf(env, c, trigger)}, "follow": {fmt.Sprint(!once)}}
	resp, err := c.ask(ctx, http.MethodGet, "/sunya/v1/events", q)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	lines := bufio.NewReader(resp.Body)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			if err := showDelivery(env, line); err != nil {
				return err
			}
		}
		switch {
		case err == nil:
		case errors.Is(err, io.EOF) || ctx.Err() != nil:
			return nil
		default:
			return fmt.Errorf("follow events: %w", err)
		}
	}
}

func showDelivery(env *Env, line []byte) error {
	if env.output().kind != "table" {
		return write(env.Stdout, line)
	}
	var d eventDelivery
	if err := json.Unmarshal(line, &d); err != nil {
		return fmt.Errorf("read delivery: %w", err)
	}
	return write(env.Stdout, []byte(d.text()))
}

// text is a delivery on one line.
func (d *eventDelivery) text() string {
	took := time.Duration(d.LatencySeconds * float64(time.Second)).Round(100 * time.Microsecond)
	text := fmt.Sprintf("%s %-13s %s %s %s %v attempt %d", d.Time.Local().Format("15:04:05.000"), d.Outcome, printable(lastOf(d.Trigger)), printable(d.ID), printable(d.Type), took, d.Attempt)
	if d.Subject != "" {
		text += " " + printable(d.Subject)
	}
	if d.Reason != "" {
		text += ": " + printable(d.Reason)
	}
	return text + "\n"
}

func newEventsListCommand(env *Env) *cobra.Command {
	var trigger string
	var limit int
	var failed bool
	cmd := &cobra.Command{
		Use: "list", Short: "List events whose delivery has failed.", Args: args(0, 0, ""),
		Example: "sunya events list --failed\nsunya events list --failed --trigger letters --format json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !failed {
				return usagef("--failed is missing: only failed events are kept; sunya events tail shows the others")
			}
			ctx := cmd.Context()
			c, err := connect(ctx, env)
			if err != nil {
				return err
			}
			defer c.close()
			list, err := c.failedEvents(ctx, url.Values{"project": {c.project}, "trigger": {triggerOf(env, c, trigger)}, "limit": {fmt.Sprint(limit)}})
			if err != nil {
				return err
			}
			return printList(env, list, table[failedEvent]{
				{"EVENT", func(f failedEvent) string { return f.ID }},
				{"TRIGGER", func(f failedEvent) string { return lastOf(f.Trigger) }},
				{"STATE", func(f failedEvent) string { return strings.ToLower(strings.ReplaceAll(f.State, "_", "-")) }},
				{"ATTEMPTS", func(f failedEvent) string { return fmt.Sprint(f.Attempts) }},
				{"LAST", func(f failedEvent) string { return f.Last.Local().Format(time.DateTime) }},
				{"REASON", func(f failedEvent) string { return f.Reason }},
			})
		},
	}
	cmd.Flags().BoolVar(&failed, "failed", false, "those that failed")
	cmd.Flags().StringVar(&trigger, "trigger", "", "only those of this trigger")
	cmd.Flags().IntVar(&limit, "limit", 100, "at most so many, the latest (up to 1000)")
	return cmd
}

func (c *client) failedEvents(ctx context.Context, q url.Values) ([]failedEvent, error) {
	var answer struct {
		Events []failedEvent `json:"events"`
	}
	err := c.get(ctx, "/sunya/v1/events/failures?"+q.Encode(), &answer)
	return answer.Events, err
}

// ask makes a request of Sunya's own API whose answer may take long.
func (c *client) ask(ctx context.Context, method, path string, q url.Values) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base.String()+path+"?"+q.Encode(), nil)
	if err != nil {
		return nil, fmt.Errorf("ask server: %w", err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, &unreachable{c.base.String(), innermost(err)}
	}
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close()
		body, _ := io.ReadAll(io.LimitReader(resp.Body, maxStatusSize)) // the status says enough
		if resp.StatusCode == http.StatusNotFound {                     // of the event, not of the server
			return nil, sunya.Errorf(sunya.NotFound, "", "%s", reasonIn(body))
		}
		return nil, c.decode(path, resp, body, nil)
	}
	return resp, nil
}

// reasonIn is the message of an error's envelope.
func reasonIn(body []byte) string {
	var envelope struct {
		Error struct {
			Message string `json:"message"`
		} `json:"error"`
	}
	if json.Unmarshal(body, &envelope) != nil || envelope.Error.Message == "" {
		return "not found"
	}
	return envelope.Error.Message
}

func newEventsReplayCommand(env *Env) *cobra.Command {
	var trigger string
	cmd := &cobra.Command{
		Use: "replay [EVENT]…", Short: "Deliver failed events again: these, or all of a trigger.", Args: args(0, 1000, "the ids of events"),
		Example: "sunya events replay 1099511627777\nsunya events replay --trigger letters",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 && trigger == "" {
				return usagef("which events? Name them, or a trigger with --trigger: sunya events list --failed shows what there is")
			}
			return replayEvents(cmd.Context(), env, args, trigger)
		},
	}
	cmd.Flags().StringVar(&trigger, "trigger", "", "only those of this trigger; without EVENT all that it has given up")
	return cmd
}

func replayEvents(ctx context.Context, env *Env, ids []string, trigger string) error {
	c, err := connect(ctx, env)
	if err != nil {
		return err
	}
	defer c.close()
	name := triggerOf(env, c, trigger)
	var todo []failedEvent
	if len(ids) == 0 {
		all, err := c.failedEvents(ctx, url.Values{"trigger": {name}, "limit": {"1000"}})
		if err != nil {
			return err
		}
		for i := len(all) - 1; i >= 0; i-- { // the oldest first
			if all[i].State != "RETRYING" {
				todo = append(todo, all[i])
			}
		}
	}
	for _, id := range ids {
		found, err := c.failedEvents(ctx, url.Values{"project": {c.project}, "trigger": {name}, "id": {id}})
		if err != nil {
			return err
		}
		if len(found) == 0 {
			return sunya.Errorf(sunya.NotFound, id, "there is no failed event of this id: sunya events list --failed shows what there is")
		}
		todo = append(todo, found...)
	}
	failures := 0
	for i := range todo {
		d, err := c.replay(ctx, &todo[i])
		if err != nil {
			return err
		}
		if err := showDelivery(env, d.line()); err != nil {
			return err
		}
		if d.Outcome != "delivered" {
			failures++
		}
	}
	if failures > 0 {
		return sunya.Errorf(sunya.Unknown, "", "%d of %d events failed again", failures, len(todo))
	}
	return nil
}

func (c *client) replay(ctx context.Context, f *failedEvent) (*eventDelivery, error) {
	resp, err := c.ask(ctx, http.MethodPost, "/sunya/v1/events/replay", url.Values{"trigger": {f.Trigger}, "id": {f.ID}})
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	d := new(eventDelivery)
	if err := json.NewDecoder(resp.Body).Decode(d); err != nil {
		return nil, fmt.Errorf("read delivery: %w", err)
	}
	return d, nil
}

// line is a delivery as the server writes it.
func (d *eventDelivery) line() []byte {
	b, err := json.Marshal(d)
	if err != nil {
		panic(err) // strings, numbers and a time
	}
	return append(b, '\n')
}
