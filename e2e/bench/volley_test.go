//go:build e2e

package bench

import (
	"fmt"
	"sync"
	"time"

	"github.com/sunya-cloud/sunya/e2e/platform"
)

// volley is what came of many requests, each on a connection of its own.
type volley struct {
	answers []answer // of those that got a whole one
	lost    []error  // those that got none within the limit
	took    time.Duration
	free    int64 // least memory that was free meanwhile, bytes
}

// fire sends a request to each host, spread evenly over a time, and waits for all
// of them.
func fire(addr string, hosts []string, over, limit time.Duration) volley {
	var v volley
	var mu sync.Mutex
	var wg sync.WaitGroup
	watched := watchMemory()
	begin := time.Now()
	for i, host := range hosts {
		if wait := time.Until(begin.Add(over * time.Duration(i) / time.Duration(len(hosts)))); wait > 0 {
			time.Sleep(wait)
		}
		wg.Go(func() {
			a, err := ask(addr, host, "/", limit)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				v.lost = append(v.lost, err)
				return
			}
			v.answers = append(v.answers, a)
		})
	}
	wg.Wait()
	v.took = time.Since(begin)
	v.free = watched()
	return v
}

// watchMemory looks at the machine's free memory until the function that it
// returns is called, which says what the least was.
func watchMemory() func() int64 {
	least, stop, done := available(), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for t := time.Tick(100 * time.Millisecond); ; {
			least = min(least, available())
			select {
			case <-t:
			case <-stop:
				return
			}
		}
	}()
	return func() int64 {
		close(stop)
		<-done
		return least
	}
}

// with counts the answers of a status; refused those of 429 and 503.
func (v volley) with(status int) (n int) {
	for _, a := range v.answers {
		if a.Status == status {
			n++
		}
	}
	return n
}

func (v volley) refused() int { return v.with(429) + v.with(503) }

// helpful counts the refusals that say when to come again.
func (v volley) helpful() (n int) {
	for _, a := range v.answers {
		if (a.Status == 429 || a.Status == 503) && a.RetryAfter != "" {
			n++
		}
	}
	return n
}

func (v volley) String() string {
	text := fmt.Sprintf("%d with 200", v.with(200))
	if v.refused() > 0 {
		text += fmt.Sprintf(", %d with 429, %d with 503, of which %d say when to come again", v.with(429), v.with(503), v.helpful())
	}
	if other := len(v.answers) - v.with(200) - v.refused(); other > 0 {
		text += fmt.Sprintf(", %d with another status", other)
	}
	if len(v.lost) > 0 {
		text += fmt.Sprintf(", %d without an answer, the first: %v", len(v.lost), v.lost[0])
	}
	return text
}

// copyHosts are those of n copies.
func copyHosts(server *platform.Server, n int) []string {
	hosts := make([]string, n)
	for i := range hosts {
		hosts[i] = server.CopyHost(i)
	}
	return hosts
}
