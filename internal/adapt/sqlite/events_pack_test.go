package sqlite

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/sunya-cloud/sunya/internal/core/pubsub"
)

// packOf stores messages and returns the rows.
func packOf(t testing.TB, messages []pubsub.Stored) (rows []*packed) {
	t.Helper()
	var p pack
	for i := 0; i < len(messages); {
		taken, err := p.add(&messages[i])
		if err != nil {
			t.Fatal(err)
		}
		if taken {
			i++
		}
		if !taken || i == len(messages) {
			rows = append(rows, rowOf(p.row(7)))
		}
	}
	return rows
}

// rowOf is what comes back of the columns.
func rowOf(args []any) *packed {
	p := &packed{
		topic: args[0].(int64) >> 40, seq: pubsub.Seq(args[0].(int64)), count: args[1].(int64), time: moment(args[2].(int64)),
		fields: fields{key: []byte(args[3].(string)), data: bytes.Clone(args[5].([]byte))},
	}
	if a, ok := args[4].([]byte); ok {
		p.attributes = a
	}
	return p
}

func TestPack(t *testing.T) {
	at := time.Unix(100, 5).UTC()
	message := func(seq int64, size int) pubsub.Stored {
		m := pubsub.Stored{Seq: seq, Message: pubsub.Message{PublishTime: at.Add(time.Duration(seq)), Data: bytes.Repeat([]byte{byte(seq)}, size)}}
		if seq%2 == 0 {
			m.OrderingKey, m.Attributes = "k\x00", map[string]string{"a": strings.Repeat("é", int(seq))}
		}
		return m
	}
	for _, tt := range []struct {
		name  string
		sizes []int
		rows  int
	}{
		{"one", []int{10}, 1},
		{"empty ones", []int{0, 0, 0}, 1},
		{"many", make([]int, packMessages+1), 2},
		{"large", []int{packBytes / 2, packBytes / 2, 10, 10}, 2},
		{"larger than a row", []int{10, packBytes * 2, 10, 10}, 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var want, got []pubsub.Stored
			for i, size := range tt.sizes {
				want = append(want, message(int64(i+1), size))
			}
			rows := packOf(t, want)
			if len(rows) != tt.rows {
				t.Errorf("%d rows, want %d", len(rows), tt.rows)
			}
			for _, r := range rows {
				if err := r.each(0, func(m *pubsub.Stored) bool { got = append(got, *m); return true }); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(pubsub.Message{}, "ID"), cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// FuzzPack reads rows that nobody wrote.
func FuzzPack(f *testing.F) {
	f.Add(appendPack(appendPack(nil, 0, fields{data: []byte("a")}), 5, fields{key: []byte("k"), attributes: []byte(`{"a":"b"}`)}), int64(2))
	f.Add([]byte{0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}, int64(3))
	f.Fuzz(func(t *testing.T, data []byte, count int64) {
		n := 0
		p := packed{seq: 1, count: count, fields: fields{data: data}}
		_ = p.each(0, func(*pubsub.Stored) bool { n++; return true })
		if n > len(data)+1 {
			t.Errorf("%d messages in %d bytes", n, len(data))
		}
	})
}
