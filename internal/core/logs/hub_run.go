package logs

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Run commits and hands on entries until ctx ends; then it commits what is
// left, within the grace, and refuses what comes later.
func (h *Hub) Run(ctx context.Context) error {
	defer h.end()
	for {
		select {
		case <-ctx.Done():
			h.close()
			h.commit(ctx)
			return context.Cause(ctx)
		case <-h.wake:
		}
		if h.linger(ctx); ctx.Err() == nil {
			h.commit(ctx)
		}
	}
}

// linger waits for a batch to fill, unless somebody waits for it.
func (h *Hub) linger(ctx context.Context) {
	timer := time.NewTimer(h.opts.Linger)
	defer timer.Stop()
	for !h.full() {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			return
		case <-h.wake:
		}
	}
}

func (h *Hub) full() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.urgent || h.entries >= h.opts.BatchEntries
}

// close refuses what is written from now on.
func (h *Hub) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
}

func (h *Hub) end() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	close(h.ended)
	for f := range h.follow {
		f.end()
	}
	clear(h.follow)
}

// commit stores everything that is waiting, then hands it to the followers. It
// outlives ctx by the grace at most: half a batch would be lost otherwise.
func (h *Hub) commit(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), h.opts.Grace)
	defer cancel()
	batches, packs, lost := h.take()
	marks := h.markers(lost)
	var all []Entry
	for _, b := range batches {
		all = append(all, b.entries...)
	}
	err := h.append(ctx, append(all[:len(all):len(all)], marks...), packs)
	h.report(ctx, len(all)+count(packs), err)
	h.settle(batches, packs, lost, err)
	if err != nil {
		h.fanOut(h.withPacks(ctx, unpromised(batches), packs))
		return
	}
	h.fanOut(h.withPacks(ctx, all, packs))
	h.fanOut(marks)
}

// withPacks adds what is in packs to entries, in the order in which all of it
// arrived; only if somebody follows.
func (h *Hub) withPacks(ctx context.Context, entries []Entry, packs []Pack) []Entry {
	if len(packs) == 0 || !h.followed() {
		return entries
	}
	for i := range packs {
		more, err := h.backlog.Unpack(&packs[i])
		if err != nil {
			h.log.ErrorContext(ctx, "show packed log entries", "err", err)
		}
		entries = append(entries, more...)
	}
	slices.SortStableFunc(entries, func(a, b Entry) int { return a.ReceiveTime.Compare(b.ReceiveTime) })
	return entries
}

func count(packs []Pack) (n int) {
	for i := range packs {
		n += packs[i].Count
	}
	return n
}

// unpromised are the entries that nobody was told about. When the store fails,
// a follower is the only one who sees them; refused ones exist for nobody.
func unpromised(batches []batch) (entries []Entry) {
	for _, b := range batches {
		if b.done == nil {
			entries = append(entries, b.entries...)
		}
	}
	return entries
}

// report logs when the store begins to fail and when it works again, not each
// batch in between.
func (h *Hub) report(ctx context.Context, entries int, err error) {
	switch {
	case err != nil && !h.failing:
		h.log.ErrorContext(ctx, "store log entries", "entries", entries, "err", err)
	case err == nil && h.failing:
		h.log.InfoContext(ctx, "log entries are stored again")
	}
	h.failing = err != nil
}

func (h *Hub) append(ctx context.Context, entries []Entry, packs []Pack) error {
	if len(entries)+len(packs) == 0 {
		return nil
	}
	return h.store.Append(ctx, entries, packs)
}

// take empties the queue, the backlog and the counts of lost entries.
func (h *Hub) take() (batches []batch, packs []Pack, lost map[string]int64) {
	var dropped map[string]int64
	if h.backlog != nil {
		packs, dropped = h.backlog.Take()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	batches, h.queue = h.queue, nil
	h.urgent = false
	lost, h.dropped = h.dropped, map[string]int64{}
	for project, n := range dropped {
		lost[project] += n
	}
	return batches, packs, lost
}

// markers are the entries that stand for lost ones.
func (h *Hub) markers(lost map[string]int64) []Entry {
	var marks []Entry
	for project, n := range lost {
		marks = append(marks, dropMarker(project, n))
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stamp(marks)
	return marks
}

// settle gives back the room of batches and tells who waits for them. What the
// store refused and nobody waits for is lost; so are the markers of what was
// lost before.
func (h *Hub) settle(batches []batch, packs []Pack, lost map[string]int64, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, b := range batches {
		h.entries -= len(b.entries)
		h.bytes -= b.bytes
		if b.done != nil {
			b.done <- err
		} else if err != nil {
			h.drop(b.entries)
		}
	}
	if err == nil {
		return
	}
	for i := range packs {
		h.dropped[packs[i].Project()] += int64(packs[i].Count)
	}
	for project, n := range lost {
		h.dropped[project] += n
	}
}

// dropMarker is the entry that stands for n lost ones.
func dropMarker(project string, n int64) Entry {
	return Entry{
		LogName:  LogName(project, "sunya/dropped"),
		Severity: Warning,
		Resource: Resource{Type: "project", Labels: map[string]string{"project_id": project}},
		Labels:   map[string]string{"dropped": fmt.Sprint(n)},
		Text:     fmt.Sprintf("dropped %d log entries: they came faster than the disk takes them, or the disk is full (see sunya doctor)", n),
	}
}
