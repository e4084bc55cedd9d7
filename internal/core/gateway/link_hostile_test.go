package gateway_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/gateway"
	"github.com/sunya-cloud/sunya/internal/core/serving"
)

// TestAnswerAfterALongTime: how long the program worked is not counted as the
// client's being slow.
func TestAnswerAfterALongTime(t *testing.T) {
	const stall = 20 * time.Millisecond
	w := newWorldWith(t, func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/1" {
			time.Sleep(5 * stall)
		}
		echo(rw, r)
	}, func(_ *gateway.Parts, o *gateway.Options) { o.ClientStall = stall })
	c := w.dial()
	for n := range 3 {
		fmt.Fprintf(c, get, n)
		if got := answers(t, c, 1); got[0] != fmt.Sprintf("GET /%d ", n) {
			t.Errorf("%q", got)
		}
	}
}

// TestPipelinedAfterALargeBody: what comes while the program works on a body that
// did not fit beside its head is not lost.
func TestPipelinedAfterALargeBody(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	w := newWorld(t, func(rw http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			n, _ := io.Copy(io.Discard, r.Body)
			close(entered)
			<-release
			fmt.Fprint(rw, n)
			return
		}
		echo(rw, r)
	})
	c := w.dial()
	head := "POST / HTTP/1.1\r\nHost: demo.localhost\r\nContent-Length: 20000\r\n\r\n"
	// The head comes alone, so that there is room in the buffer behind it.
	io.WriteString(c, head)
	time.Sleep(20 * time.Millisecond)
	io.WriteString(c, strings.Repeat("x", 20_000))
	<-entered
	time.Sleep(50 * time.Millisecond) // it is watched by now
	fmt.Fprintf(c, get, 2)
	time.Sleep(20 * time.Millisecond) // and has been read
	close(release)
	if got := answers(t, c, 2); got[0] != "20000" || got[1] != "GET /2 " {
		t.Errorf("%q", got)
	}
}

// TestRefusedRequestIsLogged as what it was, whatever its client sends after it.
func TestRefusedRequestIsLogged(t *testing.T) {
	w := newWorld(t, echo)
	svc := w.catalog.Table().Services()[0]
	svc.Access = sunya.Access{Private: true}
	if err := w.catalog.Apply(t.Context(), serving.Change{PutServices: []sunya.Service{svc}}); err != nil {
		t.Fatal(err)
	}
	c := w.dial()
	io.WriteString(c, "POST /asked HTTP/1.1\r\nHost: demo.localhost\r\nContent-Length: 50000\r\n\r\n")
	if _, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil {
		t.Fatal(err)
	}
	io.WriteString(c, strings.Repeat("\nforged", 2000))
	c.Close()
	if e := w.entries(1)[0]; e.HTTP.Status != 403 || !strings.HasSuffix(e.HTTP.URL, "demo.localhost/asked") {
		t.Errorf("entry = %+v", e.HTTP)
	}
}

// TestBodyOfARefusedRequest is not taken for another request.
func TestBodyOfARefusedRequest(t *testing.T) {
	w := newWorld(t, echo)
	c := w.dial()
	body := fmt.Sprintf(get, 2)
	fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: nobody.localhost\r\nContent-Length: %d\r\n\r\n", len(body))
	r := bufio.NewReader(c)
	resp, err := http.ReadResponse(r, nil)
	if err != nil || resp.StatusCode != 404 {
		t.Fatal(resp, err)
	}
	io.Copy(io.Discard, resp.Body)
	io.WriteString(c, body)
	if rest, _ := io.ReadAll(r); len(rest) > 0 {
		t.Errorf("the body was answered: %q", rest)
	}
}
