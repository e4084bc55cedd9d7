package objects

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/sunya-cloud/sunya"
)

// ListQuery selects objects of a bucket.
type ListQuery struct {
	Bucket      string
	Prefix      string
	Delimiter   string // names that hold it behind Prefix are collapsed
	Trailing    bool   // objects that end in their only Delimiter are items too
	StartOffset string // first name, inclusive
	EndOffset   string // exclusive; empty: no end
	Glob        string // only names that match; empty: all
	Which       Which
	Cursor      string // Listing.Next of the page before
	Limit       int    // items and prefixes together, at least 1
}

// Listing is one page. It can be short, even empty, and have a Next.
type Listing struct {
	Items    []Object // in byte order of their names, then by generation
	Prefixes []string
	Next     string // empty at the end
}

const (
	firstBatch = 4
	// maxScan bounds the objects that are looked at for one page: a filter that
	// lets little through must not read a whole bucket.
	maxScan = 10_000
)

// List returns one page of objects.
func (s *Service) List(ctx context.Context, q ListQuery) (*Listing, error) {
	l, err := newLister(q)
	if err != nil {
		return nil, err
	}
	// One more than fits shows whether there is another page. With a delimiter
	// most of a batch may be in one prefix that is passed in one step, so the
	// first ones are small.
	size := q.Limit + 1
	if q.Delimiter != "" {
		size = min(size, firstBatch)
	}
	at := Range{Bucket: q.Bucket, Prefix: l.query.Prefix, Which: q.Which}
	if l.glob == nil {
		at.Delimiter = q.Delimiter
	}
	for scanned := 0; !l.done; {
		if scanned >= maxScan {
			l.page.Next = l.at.String()
			break
		}
		at.Start, at.Generation, at.Limit = l.at.name, l.at.generation, size
		batch, err := s.store.ListObjects(ctx, at)
		if err != nil {
			return nil, fmt.Errorf("list objects: %w", err)
		}
		scanned += len(batch)
		switch jumped := l.addAll(batch); {
		case jumped:
			size = min(q.Limit+1, firstBatch)
		case len(batch) < size:
			l.done = true
		default:
			size = min(4*size, q.Limit+1)
		}
	}
	return &l.page, nil
}

// spot is where a listing goes on: at a generation of a name.
type spot struct {
	name       string
	generation int64
	prefix     string // that is listed already and that name may be in
}

// gap is between the parts of a spot in a cursor. No name holds a zero byte.
const gap = "\x00\x00"

// String is the spot in a cursor.
func (p spot) String() string {
	if p.generation == 0 && p.prefix == "" {
		return p.name
	}
	return p.name + gap + strconv.FormatInt(p.generation, 10) + gap + p.prefix
}

func parseSpot(s string) (spot, error) {
	name, rest, ok := strings.Cut(s, gap)
	if !ok {
		return spot{name: s}, nil
	}
	number, prefix, ok := strings.Cut(rest, gap)
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || !ok {
		return spot{}, sunya.Invalid("pageToken", "not a token of this list")
	}
	return spot{name: name, generation: n, prefix: prefix}, nil
}

// lister fills one page.
type lister struct {
	query ListQuery
	glob  *glob // nil: everything matches
	page  Listing
	at    spot
	done  bool
}

func newLister(q ListQuery) (*lister, error) {
	l := &lister{query: q}
	if q.Glob != "" {
		g, err := parseGlob(q.Glob)
		if err != nil {
			return nil, err
		}
		l.glob = g
		if len(g.literal) > len(q.Prefix) && strings.HasPrefix(g.literal, q.Prefix) && q.Delimiter == "" {
			l.query.Prefix = g.literal
		}
	}
	at, err := parseSpot(q.Cursor)
	if err != nil {
		return nil, err
	}
	l.at = at
	if first := max(l.query.Prefix, q.StartOffset); first > l.at.name {
		l.at = spot{name: first}
	}
	return l, nil
}

func (l *lister) count() int { return len(l.page.Items) + len(l.page.Prefixes) }

// addAll takes the next objects in order. It returns true when the rest of them
// is of no use: it is in a prefix that is listed already.
func (l *lister) addAll(batch []Object) (jumped bool) {
	for i := range batch {
		if batch[i].Name < l.at.name {
			return true
		}
		if l.add(&batch[i]); l.done {
			return false
		}
	}
	return false
}

// add takes the next object in order.
func (l *lister) add(o *Object) {
	if end := l.query.EndOffset; end != "" && o.Name >= end || !strings.HasPrefix(o.Name, l.query.Prefix) {
		l.done = true
		return
	}
	here := spot{name: o.Name, generation: o.Generation, prefix: l.at.prefix}
	next := spot{name: o.Name, generation: o.Generation + 1, prefix: l.at.prefix}
	if l.query.Which == LiveOnly {
		here.generation, next.generation = 0, 0
		next.name += "\x00" // the next possible name
	}
	if l.glob != nil && !l.glob.match(o.Name) {
		l.at = next
		return
	}
	p := l.collapse(o.Name)
	isNew := p != "" && p != l.at.prefix
	item := p == "" || l.query.Trailing && p == o.Name
	if (isNew || item) && l.count() >= l.query.Limit {
		l.page.Next, l.done = here.String(), true
		return
	}
	if isNew {
		l.page.Prefixes = append(l.page.Prefixes, p)
		next.prefix = p
	}
	if item {
		l.page.Items = append(l.page.Items, *o)
	}
	l.at = next
	// What a filter lets through is not known, and an item that ends in the
	// delimiter has other generations behind it.
	if p != "" && !item && l.glob == nil {
		l.at = spot{name: endOfPrefix(p)}
	}
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
