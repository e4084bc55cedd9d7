package objects

import (
	"context"
	"fmt"
	"strings"
)

// ListQuery selects objects of a bucket.
type ListQuery struct {
	Bucket      string
	Prefix      string
	Delimiter   string // names that hold it behind Prefix are collapsed
	StartOffset string // first name, inclusive
	EndOffset   string // exclusive; empty: no end
	Cursor      string // Listing.Next of the page before
	Limit       int    // items and prefixes together, at least 1
}

// Listing is one page.
type Listing struct {
	Items    []Object // in byte order of their names
	Prefixes []string
	Next     string // empty at the end
}

// List returns one page of objects.
func (s *Service) List(ctx context.Context, q ListQuery) (*Listing, error) {
	l := lister{query: q, start: max(q.Prefix, q.StartOffset, q.Cursor)}
	for !l.done {
		// One more than fits shows whether there is another page.
		want := q.Limit - l.count() + 1
		batch, err := s.store.ListObjects(ctx, q.Bucket, q.Prefix, l.start, want)
		if err != nil {
			return nil, fmt.Errorf("list objects: %w", err)
		}
		for i := range batch {
			if !l.add(&batch[i]) {
				break
			}
		}
		l.done = l.done || len(batch) < want
	}
	return &l.page, nil
}

// lister fills one page.
type lister struct {
	query ListQuery
	page  Listing
	start string // name from which to go on
	done  bool
}

func (l *lister) count() int { return len(l.page.Items) + len(l.page.Prefixes) }

// add takes the next object in order. It returns false when the batch is of no
// more use.
func (l *lister) add(o *Object) bool {
	if o.Name < l.start {
		return true // in a prefix that is listed already
	}
	if end := l.query.EndOffset; end != "" && o.Name >= end {
		l.done = true
		return false
	}
	if l.count() == l.query.Limit {
		l.page.Next, l.done = l.start, true
		return false
	}
	if p := l.collapse(o.Name); p != "" {
		l.page.Prefixes = append(l.page.Prefixes, p)
		l.start = endOfPrefix(p)
		return true
	}
	l.page.Items = append(l.page.Items, *o)
	l.start = o.Name + "\x00" // the next possible name
	return true
}

// collapse returns the prefix that stands for name, or "".
func (l *lister) collapse(name string) string {
	if l.query.Delimiter == "" {
		return ""
	}
	rest := name[len(l.query.Prefix):]
	i := strings.Index(rest, l.query.Delimiter)
	if i < 0 {
		return ""
	}
	return name[:len(l.query.Prefix)+i+len(l.query.Delimiter)]
}

// endOfPrefix is the first string behind all that begin with prefix. Names are
// UTF-8, where no byte is 0xff, so there always is one.
func endOfPrefix(prefix string) string {
	last := len(prefix) - 1
	return prefix[:last] + string([]byte{prefix[last] + 1})
}
