package sqlite

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/sunya-cloud/sunya/internal/core/pubsub"
)

// What costs in a synced batch is rows, not bytes. So messages of a topic that
// are stored together share rows.
const (
	packMessages = 256
	packBytes    = 256 << 10
)

// fields are what of a message is stored: its time, in nanoseconds after the
// first one's of its row, and these.
type fields struct {
	key, attributes, data []byte
}

// appendPack adds a message to those of a row.
func appendPack(b []byte, after time.Duration, f fields) []byte {
	b = binary.AppendUvarint(b, uint64(after)) // times do not fall
	for _, part := range [][]byte{f.key, f.attributes, f.data} {
		b = binary.AppendUvarint(b, uint64(len(part)))
		b = append(b, part...)
	}
	return b
}

var errPack = errors.New("read stored messages: the row is damaged")

// cutPack is the inverse of appendPack. What it returns is part of b.
func cutPack(b []byte) (after time.Duration, f fields, rest []byte, err error) {
	n, used := binary.Uvarint(b)
	if used <= 0 {
		return 0, f, nil, errPack
	}
	b = b[used:]
	for _, part := range []*[]byte{&f.key, &f.attributes, &f.data} {
		size, used := binary.Uvarint(b)
		if used <= 0 || size > uint64(len(b)-used) {
			return 0, f, nil, errPack
		}
		b = b[used:]
		*part, b = b[:size:size], b[size:]
	}
	return time.Duration(n), f, b, nil
}

// packed is a row of messages.
type packed struct {
	topic, seq int64 // of the first
	count      int64
	time       time.Time // of the first
	fields               // of the only one, when count is 1; else data is all of them
}

// scanPacked reads number, count, time, ordering_key, attributes and data, and what
// comes after them.
func scanPacked(r row, more ...any) (*packed, error) {
	var (
		p          packed
		number, at int64
	)
	if err := r.Scan(append([]any{&number, &p.count, &at, &p.key, &p.attributes, &p.data}, more...)...); err != nil {
		return nil, err
	}
	p.topic, p.seq, p.time = number>>40, pubsub.Seq(number), moment(at)
	return &p, nil
}

// each calls do with the messages of the row from one on, until it returns false.
func (p *packed) each(from int64, do func(m *pubsub.Stored) bool) error {
	if p.count == 1 {
		if p.seq < from {
			return nil
		}
		m, err := p.message(0, 0, p.fields)
		if err == nil {
			do(m)
		}
		return err
	}
	rest := p.data
	for i := range p.count {
		var (
			after time.Duration
			f     fields
			err   error
		)
		if after, f, rest, err = cutPack(rest); err != nil {
			return err
		}
		if p.seq+i < from {
			continue
		}
		m, err := p.message(i, after, f)
		if err != nil || !do(m) {
			return err
		}
	}
	return nil
}

func (p *packed) message(i int64, after time.Duration, f fields) (*pubsub.Stored, error) {
	m := &pubsub.Stored{Seq: p.seq + i}
	m.ID = strconv.FormatInt(pubsub.Number(p.topic, m.Seq), 10)
	m.PublishTime, m.OrderingKey, m.Data = p.time.Add(after), string(f.key), f.data
	if len(f.attributes) == 0 {
		return m, nil
	}
	return m, json.Unmarshal(f.attributes, &m.Attributes)
}

// pack is messages on their way into one row.
type pack struct {
	first *pubsub.Stored
	count int64
	fields
	all []byte
}

// add takes a message in; false when it belongs into another row.
func (p *pack) add(m *pubsub.Stored) (bool, error) {
	f := fields{key: []byte(m.OrderingKey), data: m.Data}
	if len(m.Attributes) > 0 {
		var err error
		if f.attributes, err = json.Marshal(m.Attributes); err != nil {
			return false, err
		}
	}
	size := len(f.key) + len(f.attributes) + len(f.data)
	switch {
	case p.count == 0:
		p.first, p.fields = m, f
	case p.count >= packMessages || len(p.all)+len(p.data)+size > packBytes || m.Seq != p.first.Seq+p.count:
		return false, nil
	case p.count == 1:
		p.all = appendPack(p.all, 0, p.fields)
		p.fields = fields{}
		fallthrough
	default:
		p.all = appendPack(p.all, m.PublishTime.Sub(p.first.PublishTime), f)
	}
	p.count++
	return true, nil
}

// row returns the columns and begins anew.
func (p *pack) row(topic int64) []any {
	key, attributes, data := string(p.key), any(nil), p.data
	if len(p.attributes) > 0 {
		attributes = p.attributes
	}
	if p.count > 1 {
		data = p.all
	}
	args := []any{pubsub.Number(topic, p.first.Seq), p.count, nanos(p.first.PublishTime), key, attributes, data}
	*p = pack{all: p.all[:0]}
	return args
}
