package gateway_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/instance/instancetest"
	"github.com/sunya-cloud/sunya/internal/core/serving"
)

// redeploy carries out what a deployment does: store, prove, route, and delete
// what was replaced.
func (w *world) redeploy(n int) error {
	rev := instancetest.Revision(n)
	ctx := w.t.Context()
	if err := w.catalog.Apply(ctx, serving.Change{PutRevisions: []sunya.Revision{rev}}); err != nil {
		return err
	}
	stored, _ := w.catalog.Revision(rev.Name)
	if err := w.slots.Prove(ctx, stored); err != nil {
		return err
	}
	if err := instancetest.Deploy(ctx, w.catalog, rev); err != nil {
		return err
	}
	return w.catalog.Apply(ctx, serving.Change{DeleteRevisions: []string{instancetest.Revision(n - 1).Name}})
}

func TestRedeploysLoseNoRequest(t *testing.T) { onBothPaths(t, testRedeploysLoseNoRequest) }

func testRedeploysLoseNoRequest(t *testing.T) {
	const requests, clients, deploys = 1000, 50, 10
	w := newWorldOn(t, &instancetest.Engine{Handler: func(b *instancetest.Box) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			<-time.After(time.Duration(len(body)) * time.Millisecond) // its work
			fmt.Fprintf(rw, "%s %s", b.Spec().ID, body)
		})
	}})
	var done, failed atomic.Int32
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			for n := done.Add(1); n <= requests; n = done.Add(1) {
				body := strings.Repeat("x", int(n%20)+1)
				resp, err := w.client.Do(w.request("POST", "/", strings.NewReader(body)))
				if err != nil {
					failed.Add(1)
					t.Error(err)
					return
				}
				got, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if err != nil || resp.StatusCode != 200 || !strings.HasSuffix(string(got), body) {
					failed.Add(1)
					t.Errorf("%d %q %v", resp.StatusCode, got, err)
				}
			}
		})
	}
	wg.Go(func() {
		for n := range deploys {
			if err := w.redeploy(n + 2); err != nil {
				t.Error(err)
			}
		}
	})
	wg.Wait()
	if failed.Load() != 0 {
		t.Errorf("%d requests failed", failed.Load())
	}
	_, body := w.do(w.request("GET", "/", nil))
	if !strings.HasPrefix(body, fmt.Sprintf("demo-v%d-", deploys+1)) {
		t.Errorf("%q served after the last deploy", body)
	}
}

func TestFrozenInstancesAnswerEveryMethod(t *testing.T) {
	onBothPaths(t, testFrozenInstancesAnswerEveryMethod)
}

func testFrozenInstancesAnswerEveryMethod(t *testing.T) {
	w := newWorld(t, func(rw http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		fmt.Fprintf(rw, "%s %s", r.Method, b)
	})
	for _, method := range []string{"GET", "POST"} {
		w.do(w.request("GET", "/", nil))
		select {
		case <-w.engine.Boxes()[0].Frozen():
		case <-time.After(5 * time.Second):
			t.Fatal("the instance was not frozen")
		}
		if resp, body := w.do(w.request(method, "/", strings.NewReader("x"))); resp.StatusCode != 200 || body != method+" x" {
			t.Errorf("%d %q", resp.StatusCode, body)
		}
	}
	if n := len(w.engine.Boxes()); n != 1 {
		t.Errorf("%d instances were started, want 1", n)
	}
}

func TestCookieSplit(t *testing.T) { onBothPaths(t, testCookieSplit) }

func testCookieSplit(t *testing.T) {
	w := newWorldOn(t, &instancetest.Engine{Handler: func(b *instancetest.Box) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/own" {
				http.SetCookie(rw, &http.Cookie{Name: serving.Cookie, Value: "1"})
			}
			io.WriteString(rw, b.Spec().ID[:len("demo-v1")])
		})
	}})
	svc, _ := w.catalog.Service(instancetest.Service)
	svc.Traffic = sunya.Traffic{ShardBy: sunya.ShardByCookie, Targets: []sunya.Target{
		{Revision: instancetest.Revision(1).Name, Permille: 300}, {Revision: instancetest.Revision(2).Name, Permille: 700},
	}}
	err := w.catalog.Apply(t.Context(), serving.Change{
		PutServices: []sunya.Service{svc}, PutRevisions: []sunya.Revision{instancetest.Revision(2)},
	})
	if err != nil {
		t.Fatal(err)
	}
	for value, want := range map[string]string{"0": "demo-v1", "299": "demo-v1", "300": "demo-v2", "999": "demo-v2"} {
		r := w.request("GET", "/", nil)
		r.AddCookie(&http.Cookie{Name: serving.Cookie, Value: value})
		if resp, body := w.do(r); body != want || len(resp.Cookies()) != 0 {
			t.Errorf("cookie %s: %s with %v, want %s", value, body, resp.Cookies(), want)
		}
	}
	resp, first := w.do(w.request("GET", "/", nil))
	if len(resp.Cookies()) != 1 || resp.Cookies()[0].Name != serving.Cookie {
		t.Fatalf("cookies = %v, want a bucket", resp.Cookies())
	}
	r := w.request("GET", "/", nil)
	r.AddCookie(resp.Cookies()[0])
	if _, again := w.do(r); again != first {
		t.Errorf("the client went from %s to %s", first, again)
	}
	if resp, _ := w.do(w.request("GET", "/own", nil)); len(resp.Cookies()) != 1 || resp.Cookies()[0].Value != "1" {
		t.Errorf("cookies = %v, want the program's own", resp.Cookies())
	}
}
