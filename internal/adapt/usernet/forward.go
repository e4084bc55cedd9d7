package usernet

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

const (
	queryTimeout    = 8 * time.Second // for everything about one query
	exchangeTimeout = 2 * time.Second // for one try at one resolver
	queryRounds     = 2               // through all resolvers
	maxMessage      = 65535
)

// forwarder answers DNS queries: some names itself, the others through the
// host's resolvers.
type forwarder struct {
	resolvers func() []netip.AddrPort
	services  Services // may be nil
	dialer    net.Dialer
}

// newForwarder returns the forwarder that a policy asks for.
func newForwarder(p Policy) *forwarder {
	if len(p.Resolvers) > 0 {
		return &forwarder{resolvers: func() []netip.AddrPort { return p.Resolvers }, services: p.Services}
	}
	conf := &resolvConf{path: hostResolvConf}
	return &forwarder{resolvers: conf.resolvers, services: p.Services}
}

// answer returns the reply to a query, or nil when it deserves none.
func (f *forwarder) answer(ctx context.Context, network string, query []byte) []byte {
	q, err := parseQuery(query)
	if err != nil {
		return nil
	}
	if q.bad != dnsmessage.RCodeSuccess {
		return q.reply(q.bad, nil)
	}
	if f.services != nil && f.services.Named(q.name()) {
		return q.reply(dnsmessage.RCodeSuccess, q.v4(gatewayIP))
	}
	if reply, ok := q.local(); ok {
		return reply
	}
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	reply := f.forward(ctx, network, q)
	if reply == nil {
		return q.reply(dnsmessage.RCodeServerFailure, nil)
	}
	if network == "udp" && len(reply) > q.udpSize {
		return q.truncated()
	}
	return reply
}

// forward asks one resolver after the other, as the C library does, and
// returns the first useful reply; else the last one, or nil.
func (f *forwarder) forward(ctx context.Context, network string, q *query) []byte {
	var last []byte
	for range queryRounds {
		for _, addr := range f.resolvers() {
			reply, err := f.exchange(ctx, network, addr, q)
			if err != nil {
				continue
			}
			last = reply
			if useful(reply) {
				return reply
			}
		}
		if last != nil || ctx.Err() != nil {
			break
		}
	}
	return last
}

// useful says whether a reply settles the question: another resolver may know
// better than one that is broken or does not want to.
func useful(reply []byte) bool {
	switch dnsmessage.RCode(reply[3] & 0xf) {
	case dnsmessage.RCodeServerFailure, dnsmessage.RCodeRefused, dnsmessage.RCodeNotImplemented:
		return false
	}
	return true
}

// exchange asks one resolver, under an id and from a port of its own.
func (f *forwarder) exchange(ctx context.Context, network string, addr netip.AddrPort, q *query) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, exchangeTimeout)
	defer cancel()
	conn, err := f.dialer.DialContext(ctx, network, addr.String())
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()

	msg := append([]byte(nil), q.raw...)
	id := uint16(rand.Uint32())
	binary.BigEndian.PutUint16(msg, id)
	if network == "tcp" {
		err = writeMessage(conn, msg)
	} else {
		_, err = conn.Write(msg)
	}
	if err != nil {
		return nil, err
	}
	reply, err := readReply(conn, network, id, q)
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", addr, err)
	}
	binary.BigEndian.PutUint16(reply, q.header.ID)
	return reply, nil
}

// readReply reads until the reply to q comes. Other datagrams are strays or
// forgeries (RFC 5452 §9.1); in a stream there is no excuse for them.
func readReply(conn net.Conn, network string, id uint16, q *query) ([]byte, error) {
	if network == "tcp" {
		reply, err := readMessage(conn, maxMessage)
		if err == nil && !q.answeredBy(reply, id) {
			err = errors.New("reply to another question")
		}
		return reply, err
	}
	buf := make([]byte, maxMessage)
	for {
		n, err := conn.Read(buf)
		if err != nil {
			return nil, err
		}
		if q.answeredBy(buf[:n], id) {
			return append([]byte(nil), buf[:n]...), nil
		}
	}
}
