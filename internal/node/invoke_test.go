package node

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestAnswersInside(t *testing.T) {
	big := bytes.Repeat([]byte("x"), maxAnswer)
	for _, tt := range []struct {
		name   string
		serve  http.HandlerFunc
		status int
		bytes  int
		fails  bool
	}{
		{"a word", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("hi")) }, 200, 2, false},
		{"a status", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(103)
			w.WriteHeader(503)
			w.WriteHeader(200)
		}, 503, 0, false},
		{"nothing", func(http.ResponseWriter, *http.Request) {}, 200, 0, false},
		{"the most", func(w http.ResponseWriter, _ *http.Request) { w.Write(big) }, 200, maxAnswer, false},
		{"cut short", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("h")); panic(http.ErrAbortHandler) }, 200, 1, true},
		{"too much", func(w http.ResponseWriter, _ *http.Request) {
			w.Write(big)
			if _, err := w.Write([]byte("x")); err == nil {
				t.Error("more than the most was taken")
			}
		}, 200, maxAnswer, false},
	} {
		w := &answer{header: http.Header{}, status: http.StatusOK}
		err := serveInside(tt.serve, w, httptest.NewRequest(http.MethodPost, "/", nil))
		if w.status != tt.status || w.body.Len() != tt.bytes || (err != nil) != tt.fails || err != nil && !errors.Is(err, http.ErrAbortHandler) {
			t.Errorf("%s: %d, %d bytes, %v", tt.name, w.status, w.body.Len(), err)
		}
	}
}
