package logs

import (
	"strings"
	"time"
)

// Narrow puts into q what a store can decide by itself: the times, the log
// names, the resource and the least severity. The rest, and for safety the
// whole filter once more, becomes q.Match. q.Projects should be set before.
func (f *Filter) Narrow(q *Query) {
	if f.root == nil {
		return
	}
	q.Match = f.Match
	parts, ok := f.root.(andNode)
	if !ok {
		parts = andNode{f.root}
	}
	for _, part := range parts {
		narrow(part, q)
	}
}

func narrow(n node, q *Query) {
	switch n := n.(type) {
	case andNode:
		for _, part := range n {
			narrow(part, q)
		}
	case orNode:
		narrowNames(n, q)
	case logIDNode:
		narrowNames(orNode{n}, q)
	case *compareNode:
		n.narrow(q)
	}
}

func (c *compareNode) narrow(q *Query) {
	switch {
	case c.exists || c.re != nil || c.op == "!=":
	case c.field.kind == kindSeverity && (c.op == "=" || c.op == ":" || c.op[0] == '>'):
		q.MinSeverity = max(q.MinSeverity, Severity(c.num))
	case c.field.name == "timestamp":
		c.narrowTime(q)
	case c.op != "=":
	case c.field.name == "logName":
		narrowNames(orNode{c}, q)
	case c.field.name == "resource.type" && q.Resource.Type == "":
		q.Resource.Type = c.text
	case c.field.kind == kindName && len(c.path) > 2:
		c.narrowLabel(q)
	}
}

func (c *compareNode) narrowLabel(q *Query) {
	labels := map[string]string{strings.Join(c.path[2:], "."): c.text}
	for k, v := range q.Resource.Labels {
		labels[k] = v
	}
	q.Resource.Labels = labels
}

func (c *compareNode) narrowTime(q *Query) {
	since, until := c.at, c.at.Add(1)
	switch c.op {
	case ">":
		since, until = c.at.Add(1), time.Time{}
	case ">=":
		until = time.Time{}
	case "<":
		since, until = time.Time{}, c.at
	case "<=":
		since = time.Time{}
	}
	if since.After(q.Since) {
		q.Since = since
	}
	if !until.IsZero() && (q.Until.IsZero() || until.Before(q.Until)) {
		q.Until = until
	}
}

// narrowNames takes alternatives that all name logs.
func narrowNames(any orNode, q *Query) {
	var names []string
	for _, n := range any {
		switch n := n.(type) {
		case logIDNode:
			if len(q.Projects) == 0 {
				return
			}
			for _, p := range q.Projects {
				names = append(names, LogName(p, string(n)))
			}
		case *compareNode:
			if n.field.name != "logName" || n.op != "=" || n.exists {
				return
			}
			names = append(names, n.text)
		default:
			return
		}
	}
	if q.LogNames == nil {
		q.LogNames = names
	}
}
