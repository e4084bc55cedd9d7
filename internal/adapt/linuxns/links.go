package linuxns

import "io"

// keepLink holds the server's end of a sandbox's network for as long as anybody
// runs on it.
func (e *Engine) keepLink(owner string, link io.Closer) {
	e.mu.Lock()
	e.links[owner] = link
	e.mu.Unlock()
	e.dropLink(owner)
}

// dropLink closes the end of a network that nobody runs on any more.
func (e *Engine) dropLink(owner string) {
	e.mu.Lock()
	link := e.links[owner]
	if e.adopting || e.inUse(owner) {
		link = nil
	} else {
		delete(e.links, owner)
	}
	e.mu.Unlock()
	if link != nil {
		_ = link.Close()
	}
}

// inUse reports whether a sandbox runs on the network of owner; mu is held.
func (e *Engine) inUse(owner string) bool {
	for _, b := range e.boxes {
		if b.network() == owner && !b.hasEnded() {
			return true
		}
	}
	return false
}

// dropLinks closes every network's end in this server, used or not.
func (e *Engine) dropLinks() {
	e.mu.Lock()
	links := e.links
	e.links = map[string]io.Closer{}
	e.mu.Unlock()
	for _, link := range links {
		_ = link.Close()
	}
}

// network names the network that the sandbox is on, after the sandbox that it
// was made for.
func (b *box) network() string {
	if b.spec.NetworkOf != "" {
		return b.spec.NetworkOf
	}
	return b.spec.ID
}

func (b *box) hasEnded() bool {
	select {
	case <-b.done:
		return true
	default:
		return false
	}
}
