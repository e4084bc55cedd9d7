package sunya

import (
	"fmt"
	"strconv"
)

// Bytes is a number of bytes as people read it: 512 MiB, 1.5 GiB, 20 B.
type Bytes int64

// String implements fmt.Stringer. A whole number of units has no decimals, so
// that a limit looks as it was set; anything else has one.
func (b Bytes) String() string {
	for _, u := range []struct {
		size Bytes
		name string
	}{{1 << 40, "TiB"}, {1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}} {
		switch {
		case b < u.size:
		case b%u.size == 0:
			return strconv.FormatInt(int64(b/u.size), 10) + " " + u.name
		default:
			return fmt.Sprintf("%.1f %s", float64(b)/float64(u.size), u.name)
		}
	}
	return strconv.FormatInt(int64(b), 10) + " B"
}
