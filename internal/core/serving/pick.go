package serving

import (
	"hash/fnv"
	"strconv"

	"github.com/sunya-cloud/sunya"
)

// Cookie is the name of the cookie that keeps a client on one revision. It
// holds a number from 0 to 999 (App Engine's Service.split, shardBy COOKIE).
const Cookie = "GOOGAPPUID"

// buckets is how finely a split divides clients.
const buckets = 1000

// Client is what a split knows about who is asking.
type Client struct {
	IP     string // address without port
	Cookie string // value of Cookie, or empty
	Random uint32 // fresh for each request
}

// Pick chooses the revision that serves a request, and the client's bucket.
// The same client has the same answer until the split changes. A split that
// serves nothing gives nil.
func Pick(r Route, c Client) (rev *sunya.Revision, bucket int) {
	if r.Fixed != nil {
		return r.Fixed, 0
	}
	if len(r.Shares) == 1 && r.Shares[0].Permille > 0 {
		return r.Shares[0].Revision, 0
	}
	bucket = c.bucket(r.Service.Traffic.ShardBy)
	left := bucket
	for _, s := range r.Shares {
		if left < s.Permille {
			return s.Revision, bucket
		}
		left -= s.Permille
	}
	return nil, bucket
}

// Sticky reports whether a client without the cookie should be given it: the
// front end adds one with its bucket unless the response sets it itself.
func Sticky(r Route, c Client) bool {
	if r.Fixed != nil || len(r.Shares) < 2 || r.Service.Traffic.ShardBy != sunya.ShardByCookie {
		return false
	}
	_, ok := cookieBucket(c.Cookie)
	return !ok
}

func (c Client) bucket(by sunya.ShardBy) int {
	switch by {
	case sunya.ShardByIP:
		return int(spread(c.IP) % buckets)
	case sunya.ShardByCookie:
		if n, ok := cookieBucket(c.Cookie); ok {
			return n
		}
	}
	return int(c.Random % buckets)
}

// spread hashes an address. FNV alone leaves the addresses of one small network
// close to each other; MurmurHash3's finalizer (fmix64) scatters them.
func spread(ip string) uint64 {
	f := fnv.New64a()
	f.Write([]byte(ip))
	h := f.Sum64()
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

func cookieBucket(value string) (int, bool) {
	n, err := strconv.Atoi(value)
	if err != nil || n < 0 || n >= buckets {
		return 0, false
	}
	return n, true
}
